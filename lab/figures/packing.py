"""Which runs go side by side: as many as the processors carry without one being late for another, in the order of their
worth. What does not fit yet is waited for, and overtaken only by what does not delay it (EASY backfilling: Lifka, "The
ANL/IBM SP Scheduling System", 1995). Nothing here runs anything: time and runs come in, the next run goes out."""
import heapq

SHARE = 0.8  # of the machine's processors; the rest is the kernel's, and for what comes in bursts
AHEAD = 40  # runs that are looked at, of those that wait
EPSILON = 1e-9


class Packing:
    """What runs now, as (expected end, run). `room` is in processors; a run that needs more than that runs alone."""

    def __init__(self, room, most=None):
        self.room = room
        self.most = most  # runs at once; None: no limit but the room
        self.running = []

    def is_alone(self, one):
        return one.alone or one.need > self.room + EPSILON

    def used(self, running=None):
        return sum(one.need for _, one in (self.running if running is None else running))

    def fits(self, one, running=None):
        running = self.running if running is None else running
        if self.most is not None and len(running) >= self.most:
            return False
        if self.is_alone(one) or any(self.is_alone(other) for _, other in running):
            return not running
        if one.program == "sim" and any(other.program == "sim" for _, other in running):
            return False
        return self.used(running) + one.need <= self.room + EPSILON

    def when_fits(self, one):
        """When `one` can begin if all ends as expected, and what still runs then."""
        left = sorted(self.running, key=lambda entry: entry[0])
        at = 0
        while left and not self.fits(one, left):
            at, _ = left.pop(0)
        return at, left

    def pick(self, todo, now):
        """The index of the run to begin now, or None."""
        if not todo:
            return None
        if self.fits(todo[0]):
            return 0
        at, left = self.when_fits(todo[0])
        for index, one in enumerate(todo[1:AHEAD], 1):
            if not self.fits(one):
                continue
            if now + one.expected_s <= at or (not self.is_alone(todo[0]) and self.fits(one, left + [(at, todo[0])])):
                return index
        return None

    def begin(self, one, now):
        self.running.append((now + one.expected_s, one))

    def end(self, one):
        self.running = [entry for entry in self.running if entry[1] is not one]


def expected_s(todo, running, room, most=None, now=0.0):
    """How long all of it takes, by the same rules."""
    packing = Packing(room, most)
    packing.running = list(running)
    ends = [(at, number, one) for number, (at, one) in enumerate(running)]
    heapq.heapify(ends)
    left = list(todo)
    number = len(ends)
    began = now
    while left or ends:
        index = packing.pick(left, now)
        if index is not None:
            one = left.pop(index)
            packing.begin(one, now)
            heapq.heappush(ends, (now + one.expected_s, number, one))
            number += 1
            continue
        at, _, one = heapq.heappop(ends)
        now = max(now, at)
        packing.end(one)
    return now - began
