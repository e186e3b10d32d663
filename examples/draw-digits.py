#!/usr/bin/env python3
"""Draws the font of examples/site's clock: ten digits, a colon and a blank, of seven segments each. Standard library only.

    examples/draw-digits.py FILE.ttf

TrueType, just the tables that browsers ask for (ISO/IEC 14496-22).
"""
import struct
import sys

EM, WIDTH, THICK, GAP = 1000, 560, 90, 12
LEFT, RIGHT, BOTTOM, MIDDLE, TOP = 60, 500, 0, 350, 700
# Segments as (x0, y0, x1, y1): top, upper right, lower right, bottom, lower left, upper left, middle.
SEGMENTS = [
    (LEFT + THICK, TOP - THICK, RIGHT - THICK, TOP),
    (RIGHT - THICK, MIDDLE + GAP, RIGHT, TOP - THICK - GAP),
    (RIGHT - THICK, BOTTOM + THICK + GAP, RIGHT, MIDDLE - GAP),
    (LEFT + THICK, BOTTOM, RIGHT - THICK, BOTTOM + THICK),
    (LEFT, BOTTOM + THICK + GAP, LEFT + THICK, MIDDLE - GAP),
    (LEFT, MIDDLE + GAP, LEFT + THICK, TOP - THICK - GAP),
    (LEFT + THICK, MIDDLE - THICK // 2, RIGHT - THICK, MIDDLE + THICK // 2),
]
DIGITS = ["012345", "12", "01346", "01236", "1256", "02356", "023456", "012", "0123456", "012356"]
COLON = [(235, 180, 325, 270), (235, 430, 325, 520)]


def glyph(boxes):
    """A simple glyph: each box a contour of four corners on the curve, clockwise."""
    if not boxes:
        return b""
    points = [p for x0, y0, x1, y1 in boxes for p in ((x0, y0), (x0, y1), (x1, y1), (x1, y0))]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    data = struct.pack(">hhhhh", len(boxes), min(xs), min(ys), max(xs), max(ys))
    data += b"".join(struct.pack(">H", 4 * i + 3) for i in range(len(boxes))) + struct.pack(">H", 0)
    data += b"\x01" * len(points)
    for axis in (xs, ys):
        data += b"".join(struct.pack(">h", b - a) for a, b in zip([0] + axis, axis))
    return data + b"\0" * (-len(data) % 4)


def cmap(codes):
    """Format 4: one segment for 0 to 9 and the colon, which follows them in ASCII, one for the blank."""
    segments = [(0x20, 0x20, codes[0x20] - 0x20), (0x30, 0x3A, codes[0x30] - 0x30), (0xFFFF, 0xFFFF, 1)]
    n = len(segments)
    body = struct.pack(">HHHH", 2 * n, 4, 1, 2 * n - 4)
    body += b"".join(struct.pack(">H", s[1]) for s in segments) + b"\0\0" + b"".join(struct.pack(">H", s[0]) for s in segments)
    body += b"".join(struct.pack(">H", s[2] & 0xFFFF) for s in segments) + b"\0\0" * n
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + struct.pack(">HHH", 4, 6 + len(body), 0) + body


def names(family):
    texts = [(1, family), (2, "Regular"), (4, family), (6, family.replace(" ", ""))]
    records, storage = b"", b""
    for number, text in texts:
        data = text.encode("utf-16-be")
        records += struct.pack(">HHHHHH", 3, 1, 0x409, number, len(data), len(storage))
        storage += data
    return struct.pack(">HHH", 0, len(texts), 6 + len(records)) + records + storage


def checksum(data):
    data += b"\0" * (-len(data) % 4)
    return sum(struct.unpack(f">{len(data) // 4}I", data)) & 0xFFFFFFFF


def font():
    shapes = [[(LEFT, BOTTOM, RIGHT, TOP)], []] + [[SEGMENTS[int(s)] for s in d] for d in DIGITS] + [COLON]
    codes = {0x20: 1, 0x30: 2}
    glyf, loca = b"", [0]
    for shape in shapes:
        glyf += glyph(shape)
        loca.append(len(glyf))
    count = len(shapes)
    head = struct.pack(">IIIIHHQQhhhhHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 3, EM, 0, 0, 0, 0, RIGHT, TOP, 0, 8, 2, 1, 0)
    hhea = struct.pack(">IhhhHhhhhhhhhhhhH", 0x10000, 760, -60, 0, WIDTH, 0, 0, RIGHT, 1, 0, 0, 0, 0, 0, 0, 0, count)
    os2 = struct.pack(">HhHHHhhhhhhhhhhh10sIIII4sHHHhhhHHII", 3, WIDTH, 400, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b"\0" * 10, 1, 0, 0, 0,
                      b"NONE", 0x40, 0x20, 0x3A, 760, -60, 0, 760, 60, 1, 0)
    os2 += struct.pack(">hhHHH", TOP, TOP, 0, 0x20, 0)
    maxp = struct.pack(">IHHHHHHHHHHHHHH", 0x10000, count, 32, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    tables = {b"OS/2": os2, b"cmap": cmap(codes), b"glyf": glyf, b"head": head, b"hhea": hhea,
              b"hmtx": struct.pack(">Hh", WIDTH, LEFT) * count, b"loca": struct.pack(f">{count + 1}I", *loca), b"maxp": maxp,
              b"name": names("Harrow Digits"), b"post": struct.pack(">IIhhIIIII", 0x30000, 0, 0, 0, 1, 0, 0, 0, 0)}
    power = 1 << (len(tables).bit_length() - 1)
    directory = struct.pack(">IHHHH", 0x10000, len(tables), power * 16, power.bit_length() - 1, (len(tables) - power) * 16)
    offset, body = len(directory) + 16 * len(tables), b""
    for tag, data in sorted(tables.items()):
        directory += struct.pack(">4sIII", tag, checksum(data), offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    whole = directory + body
    at = whole.index(head[:8])
    return whole[: at + 8] + struct.pack(">I", (0xB1B0AFBA - checksum(whole)) & 0xFFFFFFFF) + whole[at + 12:]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "wb") as f:
        f.write(font())
