#!/usr/bin/env python3
"""Draws the pictures of examples/site: a comet over an observatory. Standard library only.

    examples/draw-sky.py WIDTH GRAIN FILE.png

The same arguments give the same file. GRAIN is the film grain in steps of brightness: it decides the size of the file.
"""
import math
import random
import struct
import sys
import zlib


def lerp(a, b, t):
    return tuple(x + (y - x) * t for x, y in zip(a, b))


SKY = [(0.0, (6, 9, 26)), (0.45, (16, 28, 62)), (0.75, (44, 62, 96)), (0.92, (150, 104, 92)), (1.0, (214, 150, 96))]


def sky_colour(height):
    for (h0, c0), (h1, c1) in zip(SKY, SKY[1:]):
        if height <= h1:
            return lerp(c0, c1, (height - h0) / (h1 - h0))
    return SKY[-1][1]


def ridge(width, rng, base, swing, rough):
    """Heights of a line of hills: midpoint displacement."""
    points = [base, base]
    while len(points) < width + 1:
        middle = [(a + b) / 2 + rng.uniform(-swing, swing) for a, b in zip(points, points[1:])]
        points = [x for pair in zip(points, middle) for x in pair] + [points[-1]]
        swing *= rough
    return points


def spot(light, width, height, x, y, radius, strength, colour):
    """Adds a round glow."""
    reach = int(radius * 3) + 1
    for py in range(max(0, int(y) - reach), min(height, int(y) + reach + 1)):
        row = light[py]
        for px in range(max(0, int(x) - reach), min(width, int(x) + reach + 1)):
            d2 = (px - x) ** 2 + (py - y) ** 2
            glow = strength * math.exp(-d2 / (radius * radius))
            if glow > 0.4:
                for c in range(3):
                    row[3 * px + c] += glow * colour[c]


def comet(light, width, height):
    head_x, head_y = 0.64 * width, 0.34 * height
    direction = math.radians(-148)
    along, across = (math.cos(direction), math.sin(direction)), (-math.sin(direction), math.cos(direction))
    length = 0.5 * width
    for py in range(height):
        row = light[py]
        for px in range(width):
            dx, dy = px - head_x, py - head_y
            s = (dx * along[0] + dy * along[1]) / length
            if not 0 < s < 1:
                continue
            side = (dx * across[0] + dy * across[1]) / length + 0.16 * s * s
            dust = 95 * (1 - s) ** 1.6 * math.exp(-(side / (0.012 + 0.085 * s)) ** 2)
            straight = (dx * across[0] + dy * across[1]) / length
            ion = 60 * (1 - s) * math.exp(-(straight / (0.006 + 0.02 * s)) ** 2)
            if dust + ion > 0.3:
                row[3 * px] += dust * 1.0 + ion * 0.45
                row[3 * px + 1] += dust * 0.93 + ion * 0.75
                row[3 * px + 2] += dust * 0.8 + ion * 1.0
    spot(light, width, height, head_x, head_y, width * 0.012, 150, (0.9, 1.0, 0.95))
    spot(light, width, height, head_x, head_y, width * 0.004, 255, (1, 1, 1))


def hills(light, width, height, rng):
    for base, swing, colour in ((0.84, 0.05, (40, 44, 66)), (0.90, 0.04, (20, 23, 38)), (0.96, 0.02, (8, 10, 18))):
        line = ridge(width, rng, base, swing, 0.55)
        for px in range(width):
            for py in range(int(line[px] * height), height):
                light[py][3 * px : 3 * px + 3] = colour


def observatory(light, width, height):
    x, y, r = 0.22 * width, 0.885 * height, 0.032 * width
    for py in range(int(y - r), int(y + 1.2 * r)):
        for px in range(int(x - r), int(x + r) + 1):
            dome = py < y and (px - x) ** 2 + (py - y) ** 2 <= r * r
            drum = py >= y and abs(px - x) <= 0.93 * r
            if not dome and not drum:
                continue
            slit = dome and 0.12 * r < px - x < 0.34 * r
            door = drum and abs(px - x + 0.4 * r) < 0.12 * r and py > y + 0.5 * r
            shade = 0.55 + 0.45 * (px - x) / r
            colour = (255, 196, 110) if slit or door else tuple(c * shade for c in (58, 62, 84))
            if 0 <= py < height:
                light[py][3 * px : 3 * px + 3] = colour


def png(path, width, height, rows):
    packer = zlib.compressobj(9)
    packed = b""
    above = bytes(3 * width)
    for row in rows:
        packed += packer.compress(b"\x02" + bytes((a - b) & 255 for a, b in zip(row, above)))
        above = row
    packed += packer.flush()

    def part(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    with open(path, "wb") as out:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        out.write(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", packed) + part(b"IEND", b""))


def main():
    width, grain, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    height = width * 9 // 16
    rng = random.Random(1910)
    light = []
    for y in range(height):
        colour = sky_colour(y / height)
        light.append([c for _ in range(width) for c in colour])
    for _ in range(900):
        x, y = rng.random() * width, rng.random() ** 1.4 * height * 0.85
        strength = 30 + 200 * rng.random() ** 5
        tint = rng.choice(((1, 1, 1), (1, 0.9, 0.75), (0.78, 0.88, 1)))
        spot(light, width, height, x, y, width * (0.0005 + 0.0009 * strength / 230), strength * (1 - y / height), tint)
    comet(light, width, height)
    hills(light, width, height, rng)
    observatory(light, width, height)
    rows = []
    for row in light:
        shifts = [rng.gauss(0, grain) for _ in range(width)]
        rows.append(bytes(max(0, min(255, int(v + shifts[i // 3] + 0.5))) for i, v in enumerate(row)))
    png(path, width, height, rows)


main()
