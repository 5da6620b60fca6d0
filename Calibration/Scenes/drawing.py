"""Sprites: a thing drawn once, large, as layers that a scene later colours, shades, turns and scales.

Coordinates are those of the unit square, x to the right and y down, both in [-1, 1]; every region is a polygon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

SIDE = 256  # pixels of the largest sprite
OVERSAMPLING = 2
MARGIN = 0.95  # share of the canvas that the unit square takes

Points = np.ndarray  # (n, 2)
LAYERS = ("cover", "dark", "light", "accent")


class Drawing:
    """Four layers: where the thing is, and how much of it is shaded, lightened, or of its second colour."""

    def __init__(self) -> None:
        side = SIDE * OVERSAMPLING
        self.images = {name: Image.new("L", (side, side)) for name in LAYERS}
        self.pens = {name: ImageDraw.Draw(image) for name, image in self.images.items()}

    def _paint(self, region: Points, **levels: int) -> None:
        side = SIDE * OVERSAMPLING
        corners = [tuple(p) for p in (np.asarray(region, np.float64) * MARGIN + 1) * side / 2]
        for name, pen in self.pens.items():
            pen.polygon(corners, fill=levels.get(name, 0))

    def body(self, *regions: Points) -> None:
        for r in regions:
            self._paint(r, cover=255)

    def dark(self, *regions: Points, level: int = 130) -> None:
        for r in regions:
            self._paint(r, cover=255, dark=level)

    def light(self, *regions: Points, level: int = 200) -> None:
        for r in regions:
            self._paint(r, cover=255, light=level)

    def accent(self, *regions: Points, dark: int = 0) -> None:
        for r in regions:
            self._paint(r, cover=255, accent=255, dark=dark)

    def cut(self, *regions: Points) -> None:
        for r in regions:
            self._paint(r)

    def sprite(self) -> Image.Image:
        """The layers as the bands of one image, for which CMYK is the mode without meaning for the transform."""
        return Image.merge("CMYK", [self.images[n].reduce(OVERSAMPLING) for n in LAYERS])


Draw = Callable[[Drawing, np.random.Generator], None]
KINDS: dict[str, Draw] = {}


def kind(name: str) -> Callable[[Draw], Draw]:
    """Registers the function that draws one variant of the thing called `name`."""

    def register(function: Draw) -> Draw:
        KINDS[name] = function
        return function

    return register


# ------------------------------------------------------------------------------------------------ regions
def polygon(*xy: float) -> Points:
    return np.array(xy, np.float64).reshape(-1, 2)


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    return polygon(x0, y0, x1, y0, x1, y1, x0, y1)


def ellipse(x: float, y: float, rx: float, ry: float | None = None, start: float = 0, stop: float = 360) -> Points:
    """Ellipse around (x, y), or the part between two angles in degrees (0 right, 90 down) closed by its chord."""
    a = np.radians(np.linspace(start, stop, 64))
    return np.stack([x + rx * np.cos(a), y + (rx if ry is None else ry) * np.sin(a)], 1)


def pie(x: float, y: float, rx: float, ry: float, start: float, stop: float) -> Points:
    return np.concatenate([[[x, y]], ellipse(x, y, rx, ry, start, stop)])


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> Points:
    r = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    corners = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180), (x1 - r, y0 + r, 270))
    return np.concatenate([ellipse(x, y, r, r, a, a + 90) for x, y, a in corners])


def smooth(*xy: float, steps: int = 10) -> Points:
    """Closed Catmull-Rom spline through the points."""
    p = polygon(*xy)
    a, b, c, d = (np.roll(p, k, 0)[:, None] for k in (1, 0, -1, -2))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    q = b + 0.5 * t * (c - a) + t**2 * (a - 2.5 * b + 2 * c - 0.5 * d) + t**3 * (-0.5 * a + 1.5 * b - 1.5 * c + 0.5 * d)
    return q.reshape(-1, 2)


def turned(region: Points, degrees: float, x: float = 0, y: float = 0) -> Points:
    a = np.radians(degrees)
    return (region - (x, y)) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + (x, y)


def mirrored(region: Points) -> Points:
    return region * (-1, 1)


def band(points: Sequence[float], width: float) -> list[Points]:
    """A line of the given width through the points, with round ends: one region per stretch and joint."""
    p = polygon(*points)
    out = [ellipse(x, y, width / 2) for x, y in p]
    for a, b in zip(p, p[1:]):
        n = (b - a)[::-1] * (1, -1) / max(np.hypot(*(b - a)), 1e-9) * width / 2
        out.append(np.stack([a + n, b + n, b - n, a - n]))
    return out


def radial(count: int, outer: float, inner: float, phase: float = 0) -> Points:
    """Star with `count` tips."""
    a = np.radians(phase - 90) + np.arange(2 * count) * np.pi / count
    r = np.where(np.arange(2 * count) % 2, inner, outer)
    return np.stack([r * np.cos(a), r * np.sin(a)], 1)
