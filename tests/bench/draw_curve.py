#!/usr/bin/env python3
"""Draws what learning_curve printed (standard input) as SVG (standard output):
kNN in percent against images seen, a line a seed, and raw pixels beside it."""
import json
import math
import sys

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 40, 20, 50
COLOURS = ("#1f6fb4", "#c4571a", "#3a8a3a", "#7d4fa3", "#8c6d1f", "#b03060")
RAW = "#777777"


def step_of(span, most):
    """A round distance of ticks, so that there are no more than `most`."""
    for power in range(-3, 12):
        for digit in (1, 2, 5):
            step = digit * 10.0 ** power
            if span / step <= most:
                return step
    raise ValueError(span)


class Axes:
    """From images and percent to places in the picture."""

    def __init__(self, images, low, high):
        self.images, self.low, self.high = images, low, high

    def x(self, images):
        return LEFT + (WIDTH - LEFT - RIGHT) * images / self.images

    def y(self, percent):
        share = (percent - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def grid(self):
        step = step_of(self.high - self.low, 8)
        tick = math.ceil(self.low / step) * step
        while tick <= self.high:
            y = self.y(tick)
            yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>'
            yield text(LEFT - 8, y + 4, f"{tick:g}", "end")
            tick += step
        step = step_of(self.images, 7)
        for k in range(int(self.images / step) + 1):
            yield text(self.x(k * step), HEIGHT - BOTTOM + 20, f"{k * step:,.0f}", "middle")
        yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "images seen", "middle")
        yield (f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" '
               'text-anchor="middle">kNN accuracy, %</text>')


def text(x, y, words, anchor, colour="#333333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def curve(axes, points, colour):
    """A line through the points, each with its standard error."""
    path = "L".join(f"{axes.x(n):.1f} {axes.y(top1):.1f}" for n, top1, _ in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for n, top1, error in points:
        yield (f'<path d="M{axes.x(n):.1f} {axes.y(top1 - error):.1f}V{axes.y(top1 + error):.1f}" '
               f'stroke="{colour}" stroke-opacity="0.5"/>')
        yield f'<circle cx="{axes.x(n):.1f}" cy="{axes.y(top1):.1f}" r="3" fill="{colour}"/>'


def main():
    seeds, raw = {}, None
    for line in sys.stdin:
        row = json.loads(line)
        knn = row["knn"]
        raw = knn["pixels_top1"]
        seeds.setdefault(row["seed"], []).append(
            (row["images"], knn["top1"], knn["standard_error"]))
    if not seeds:
        sys.exit("draw_curve: no lines; give it what learning_curve printed")
    lows = [top1 - error for points in seeds.values() for _, top1, error in points]
    highs = [top1 + error for points in seeds.values() for _, top1, error in points]
    axes = Axes(max(n for points in seeds.values() for n, _, _ in points),
                min([raw, *lows]) - 1, max([raw, *highs]) + 1)
    parts = [*axes.grid(),
             f'<path d="M{LEFT} {axes.y(raw):.1f}H{WIDTH - RIGHT}" stroke="{RAW}" '
             'stroke-dasharray="6 4"/>',
             text(LEFT + 8, axes.y(raw) - 6, f"raw pixels, {raw:.1f}", "start", RAW)]
    for k, (seed, points) in enumerate(sorted(seeds.items())):
        colour = COLOURS[k % len(COLOURS)]
        parts += curve(axes, sorted(points), colour)
        parts.append(text(WIDTH - RIGHT - 8, HEIGHT - BOTTOM - 12 - 18 * k,
                          f"seed {seed}", "end", colour))
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
          'font-family="sans-serif" font-size="13">\n'
          f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>')
    print("\n".join(parts))
    print("</svg>")


if __name__ == "__main__":
    main()
