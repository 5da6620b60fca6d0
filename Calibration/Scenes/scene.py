"""Scenes: textured stuff in two or three regions, and shaded things upon it, with the exact panoptic ground truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from . import nature, objects  # noqa: F401  (they fill drawing.KINDS)
from .drawing import KINDS, SIDE, Drawing
from .kinds import CLASSES, COLOURS, PATTERNS, STUFF, THINGS
from .textures import patch, pool

VARIANTS = 6
NAMES = tuple(COLOURS)
RGB = np.array(list(COLOURS.values()), np.float32)
PLAIN_SHARE = 0.7
THING_SIZES = (74.0, 124.0)  # least and largest width of a thing in pixels
LEAST_VISIBLE = 0.55  # a thing of which less remains in sight is taken out again


@dataclass(frozen=True)
class Segment:
    """category: index into CLASSES; colour, pattern: indices into COLOURS and PATTERNS, -1 for stuff."""

    category: int
    colour: int = -1
    pattern: int = -1


@dataclass
class Scene:
    """picture uint8 (n, n, 3); ids uint8 (n, n): the number of the segment of each pixel."""

    picture: np.ndarray
    ids: np.ndarray
    segments: list[Segment]


@cache
def sprites() -> dict[str, list[list[Image.Image]]]:
    """kind -> variants -> sizes SIDE, SIDE/2, SIDE/4, drawn once per process."""
    r, out = np.random.default_rng(10), {}
    for name in THINGS:
        out[name] = []
        for _ in range(VARIANTS):
            drawing = Drawing()
            KINDS[name](drawing, r)
            large = drawing.sprite()
            out[name].append([large, large.reduce(2), large.reduce(4)])
    return out


def warm_up() -> None:
    """Draws sprites and textures, so that processes forked later share them."""
    sprites(), pool()


# ------------------------------------------------------------------------------------------------ things
def decorate(pattern: str, u: np.ndarray, v: np.ndarray, r: np.random.Generator) -> np.ndarray:
    """0..1 share of the second colour at object coordinates u, v in [-1, 1]."""
    f, phase = r.uniform(3, 4.6), r.uniform(0, 2)
    if pattern == "striped":
        a = r.uniform(0, math.pi)
        w = np.sin(2 * f * (u * math.cos(a) + v * math.sin(a)) + 3 * phase)
    elif pattern == "dotted":
        w = 3.2 * (0.33 - np.hypot((u * f + phase) % 1 * 1.0 - 0.5, (v * f + phase) % 1 - 0.5))
    else:
        w = np.sin(math.pi * f * u + phase) * np.sin(math.pi * f * v + phase) * 2
    return np.clip(w * 3 + 0.5, 0, 1)


def moved(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """image (h, w) shifted by whole pixels, 0 where nothing comes in."""
    out, (h, w) = np.zeros_like(image), image.shape
    out[max(dy, 0) : h + min(dy, 0), max(dx, 0) : w + min(dx, 0)] = image[
        max(-dy, 0) : h + min(-dy, 0), max(-dx, 0) : w + min(-dx, 0)
    ]
    return out


def paste(
    picture: np.ndarray,
    name: str,
    segment: Segment,
    x: float,
    y: float,
    size: float,
    light: float,
    r: np.random.Generator,
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """A thing about `size` pixels wide over the float picture.

    -> (window, the window's new pixels, the thing's coverage 0..1)
    """
    n = picture.shape[0]
    variant = sprites()[name][r.integers(VARIANTS)]
    source = variant[int(np.clip(math.floor(math.log2(SIDE / size)), 0, 2))]
    half = int(size * 0.75) + 2
    x0, x1 = max(0, int(x) - half), min(n, int(x) + half)
    y0, y1 = max(0, int(y) - half), min(n, int(y) + half)
    window = (slice(y0, y1), slice(x0, x1))

    angle, stretch, shear = math.radians(r.normal(0, 16)), r.uniform(0.86, 1.16), r.normal(0, 0.07)
    scale = source.width / size
    m = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    m = np.array([[1 / stretch, shear], [0, stretch]]) @ m * scale
    if r.random() < 0.5:
        m[0] = -m[0]
    shift = source.width / 2 + m @ (x0 - x, y0 - y)  # Pillow adds half a pixel itself
    layers = source.transform((x1 - x0, y1 - y0), Image.AFFINE, (*m[0], shift[0], *m[1], shift[1]), Image.BILINEAR)
    cover, dark, bright, accent = (np.asarray(b, np.float32) / 255 for b in layers.split())
    height = np.asarray(layers.getchannel(0).filter(ImageFilter.BoxBlur(max(1, size * 0.035))), np.float32) / 255

    gy, gx = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    base = RGB[segment.colour] * r.uniform(0.82, 1.12) + r.uniform(-14, 14, 3).astype(np.float32)
    other = RGB[r.choice([c for c in range(len(RGB)) if c != segment.colour])]
    if PATTERNS[segment.pattern] != "plain":
        u, v = (m[i, 0] * (gx - x) + m[i, 1] * (gy - y) for i in (0, 1))
        accent = r.uniform(0.55, 0.85) * decorate(
            PATTERNS[segment.pattern], u * 2 / source.width, v * 2 / source.width, r
        )
        other = base * 0.4 if base.mean() > 150 else np.array((250, 248, 242), np.float32)
    body = base + (other * 0.95 - base) * accent[..., None]
    body *= (1 - 0.78 * dark)[..., None]
    body += (238 - body) * (0.85 * bright)[..., None]
    slope_y, slope_x = np.gradient(height)
    relief = (slope_x * math.cos(light) + slope_y * math.sin(light)) * size * r.uniform(0.05, 0.11)
    ramp = ((gx - x) * math.cos(light) + (gy - y) * math.sin(light)) / size * r.uniform(-0.35, -0.05)
    body *= (1 + np.clip(relief, -0.35, 0.35) + ramp)[..., None]

    region = picture[window].copy()
    drop = int(size * r.uniform(0.03, 0.07)) + 1  # soft shadow, away from the light
    dx, dy = (int(round(drop * t)) for t in (math.cos(light), math.sin(light)))
    region *= (1 - 0.38 * moved(height, dx, dy) * (1 - cover))[..., None]
    region += cover[..., None] * (body - region)
    return window, region, cover


# ------------------------------------------------------------------------------------------------ ground
def ground(n: int, kinds: Sequence[str], r: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Regions of stuff parted by wavy lines, sky above -> (float picture, number of each pixel's region)."""
    picture, ids = patch(kinds[0], r, n), np.zeros((n, n), np.uint8)
    g = (np.arange(n, dtype=np.float32) + 0.5) / n - 0.5
    for i, name in enumerate(kinds[1:], 1):
        upright = name == "sky" or kinds[0] == "sky"
        angle = (
            (-math.pi / 2 if name == "sky" else math.pi / 2) + r.normal(0, 0.12)
            if upright
            else r.uniform(0, 2 * math.pi)
        )
        u = g[None] * math.cos(angle) + g[:, None] * math.sin(angle)
        v = g[:, None] * math.cos(angle) - g[None] * math.sin(angle)
        wave = r.uniform(0, 0.035) * np.sin(v * r.uniform(5, 22) + r.uniform(0, 6)) + r.uniform(0, 0.03) * np.sin(v * 9)
        edge = np.clip((u + wave - (r.uniform(-0.1, 0.1) if i == 1 else r.uniform(0.12, 0.2))) * n + 0.5, 0, 1)
        picture += (patch(name, r, n) - picture) * edge[..., None]
        ids[edge > 0.5] = i
    return picture, ids


def finish(picture: np.ndarray, light: float, r: np.random.Generator) -> np.ndarray:
    """Light across the picture, vignette, colour cast, blur and noise -> uint8."""
    n = picture.shape[0]
    g = np.linspace(-1, 1, n, dtype=np.float32)
    field = 1 - r.uniform(0, 0.2) * (g[None] * math.cos(light) + g[:, None] * math.sin(light))
    field -= r.uniform(0, 0.14) * (g[None] ** 2 + g[:, None] ** 2)
    out = picture * field[..., None] * (r.uniform(0.82, 1.12) * r.uniform(0.95, 1.05, 3)).astype(np.float32)
    if r.random() < 0.35:
        soft = Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(r.uniform(0.4, 1.3))
        )
        out = np.asarray(soft, np.float32)
    out = out + r.standard_normal((n, n, 1), np.float32) * r.uniform(0.5, 6)
    return np.clip(out, 0, 255).astype(np.uint8)


def compose(
    seed: int | Sequence[int],
    side: int = 256,
    things: Sequence[str] = THINGS,
    stuff: Sequence[str] = STUFF,
    count: tuple[int, int] = (2, 5),
    sizes: tuple[float, float] = THING_SIZES,
) -> Scene:
    """One scene; the same arguments give the same bytes.

    side: pixels; count: least and most things tried; sizes: least and largest width of a thing in pixels.
    Every segment of the
    result has pixels; a thing that others hide too much is left out.
    """
    r = np.random.default_rng(seed)
    kinds = list(r.choice(stuff, min(len(stuff), int(r.choice([1, 2, 3], p=(0.3, 0.5, 0.2)))), replace=False))
    picture, ids = ground(side, kinds, r)
    segments = [Segment(CLASSES.index(k)) for k in kinds]
    light = r.uniform(0, 2 * math.pi)
    area, visible, spots = {}, {}, []
    for _ in range(int(r.integers(count[0], count[1] + 1))):
        size = r.uniform(*sizes)
        for _ in range(20):  # overlap, but no burial
            x, y = r.uniform(0.42 * size, side - 0.42 * size, 2) if side > size else (side / 2, side / 2)
            if all(math.hypot(x - a, y - b) > 0.4 * (size + s) for a, b, s in spots):
                break
        else:
            continue
        name = str(r.choice(things))
        pattern = 0 if r.random() < PLAIN_SHARE else int(r.integers(1, len(PATTERNS)))
        segment = Segment(CLASSES.index(name), int(r.integers(len(COLOURS))), pattern)
        window, region, cover = paste(picture, name, segment, x, y, size, light, r)
        number, on = len(segments), cover > 0.5
        hidden = np.bincount(ids[window][on], minlength=number)
        if any(visible[i] - hidden[i] < LEAST_VISIBLE * a for i, a in area.items()):
            continue
        picture[window], ids[window][on] = region, number
        for i in area:
            visible[i] -= hidden[i]
        area[number] = visible[number] = int(on.sum())
        spots.append((x, y, size))
        segments.append(segment)
    return compact(finish(picture, light, r), ids, segments)


def compact(picture: np.ndarray, ids: np.ndarray, segments: list[Segment]) -> Scene:
    """Drops the segments of which no pixel is left and renumbers the rest."""
    kept = np.flatnonzero(np.bincount(ids.ravel(), minlength=len(segments)))
    number = np.zeros(len(segments), np.uint8)
    number[kept] = np.arange(len(kept))
    return Scene(picture, number[ids], [segments[i] for i in kept])
