"""Stuff: seamless-looking square textures, several variants of each kind in several palettes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from .kinds import STUFF

SIDE = 448  # pixels of a texture; a scene takes a random window of it
VARIANTS = 8

Texture = Callable[[np.random.Generator], np.ndarray]
KINDS: dict[str, Texture] = {}


def texture(function: Texture) -> Texture:
    KINDS[function.__name__] = function
    return function


# ------------------------------------------------------------------------------------------------ parts
def noise(r: np.random.Generator, width: float, height: float, octaves: int = 1) -> np.ndarray:
    """Smooth noise (SIDE, SIDE), mean 0, about in [-1, 1], with features of width x height pixels."""
    out, share = np.zeros((SIDE, SIDE), np.float32), 1.0
    for o in range(octaves):
        size = [int(np.clip(SIDE * 2**o / s, 3, SIDE)) for s in (width, height)]
        grid = Image.fromarray(r.standard_normal((size[1], size[0])).astype(np.float32))
        out += share * np.asarray(grid.resize((SIDE, SIDE), Image.BICUBIC))
        share /= 2
    return out / 1.5


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates (x, y), each (SIDE, SIDE)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return x, y


def palette(r: np.random.Generator, *colours: tuple[int, int, int]) -> np.ndarray:
    """One of the colours, varied."""
    return np.array(colours[r.integers(len(colours))], np.float32) * r.uniform(0.86, 1.12) + r.uniform(-9, 9, 3).astype(
        np.float32
    )


def shade(base: np.ndarray, *terms: tuple[np.ndarray, float]) -> np.ndarray:
    """base colour (3,) or picture times 1 + sum of amplitude x field -> (SIDE, SIDE, 3)."""
    return base * (1 + sum(amplitude * field for field, amplitude in terms))[..., None]


def blend(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    return a + (b - a) * share[..., None]


def cells(r: np.random.Generator, pitch: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Worley cells of a jittered lattice.

    -> (distance to the border in pixels, a random value per cell, distance to the centre)
    """
    x, y = grid()
    n = int(SIDE / pitch) + 4
    jitter, value = r.uniform(-0.38, 0.38, (n, n, 2)).astype(np.float32), r.uniform(-1, 1, (n, n)).astype(np.float32)
    ix, iy = (x / pitch).astype(np.int32) + 1, (y / pitch).astype(np.int32) + 1
    near, second, tone = (
        np.full((SIDE, SIDE), 1e9, np.float32),
        np.full((SIDE, SIDE), 1e9, np.float32),
        np.zeros((SIDE, SIDE), np.float32),
    )
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            jx, jy = ix + dx, iy + dy
            d = np.hypot((jx - 0.5 + jitter[jy, jx, 0]) * pitch - x, (jy - 0.5 + jitter[jy, jx, 1]) * pitch - y)
            closer = d < near
            second = np.where(closer, near, np.minimum(second, d))
            tone, near = np.where(closer, value[jy, jx], tone), np.minimum(near, d)
    return (second - near) / 2, tone, near


def courses(
    r: np.random.Generator, width: float, height: float, joint: float, shift: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of blocks, each row shifted -> (0..1 joint mask, a random value per block)."""
    x, y = grid()
    row = np.floor(y / height)
    along = x + (row % 2) * width * shift
    edge = np.minimum(np.minimum(y % height, height - y % height), np.minimum(along % width, width - along % width))
    value = r.uniform(-1, 1, (97, 89)).astype(np.float32)[
        row.astype(int) % 97, np.floor(along / width).astype(int) % 89
    ]
    return np.clip(joint - edge + 0.5, 0, 1), value


# ------------------------------------------------------------------------------------------------ kinds
@texture
def grass(r):
    s = r.uniform(0.8, 1.4)
    base = palette(r, (92, 148, 58), (70, 125, 52), (128, 152, 66))
    blades = noise(r, 2.4 * s, 13 * s) + 0.6 * noise(r, 1.7 * s, 8 * s)
    return blend(
        shade(base, (blades, 0.26), (noise(r, 70, 70), 0.12)),
        np.array((190, 205, 110), np.float32),
        np.clip(blades - 0.9, 0, 1) * 0.5,
    )


@texture
def sand(r):
    base = palette(r, (222, 192, 138), (208, 168, 118), (232, 214, 176))
    _, y = grid()
    ripple = np.sin(y / r.uniform(4, 7.5) + 3.5 * noise(r, 70, 45)) * r.uniform(0.2, 1)
    return shade(base, (ripple, 0.06), (noise(r, 1.3, 1.3), 0.07), (noise(r, 90, 60), 0.05))


@texture
def water(r):
    base = palette(r, (48, 118, 168), (36, 132, 142), (62, 92, 150), (92, 160, 190))
    x, y = grid()
    wave = np.sin(y / r.uniform(3.2, 5) + 4 * noise(r, 42, 24)) + np.sin(y / 2.3 + x / 30 + 3 * noise(r, 30, 15))
    crest = np.clip(wave - 1.25, 0, 1)
    return blend(
        shade(base, (wave, 0.12), (noise(r, 90, 40), 0.08)), np.array((225, 240, 245), np.float32), crest * 0.6
    )


@texture
def brick(r):
    s = r.uniform(0.8, 1.3)
    joint, value = courses(r, 34 * s, 15 * s, 1.2 * s, 0.5)
    base = palette(r, (168, 78, 58), (186, 110, 76), (140, 66, 60), (176, 160, 140))
    wall = shade(base, (value, 0.14), (noise(r, 3, 3), 0.08), (noise(r, 60, 60), 0.06))
    return blend(wall, palette(r, (198, 190, 178), (120, 114, 108)), joint)


@texture
def road(r):
    base = palette(r, (96, 96, 100), (78, 78, 84), (122, 118, 114))
    speck = noise(r, 1.5, 1.5)
    out = shade(base, (speck, 0.2), (noise(r, 50, 50), 0.07))
    x, _ = grid()
    if r.random() < 0.6:  # lane marking
        lane = np.clip(3.2 - np.abs((x + 6 * noise(r, 300, 300)) % 170 - 85), 0, 1) * (grid()[1] % 90 < 55)
        out = blend(out, np.array((225, 215, 170), np.float32), lane * 0.8)
    return out


@texture
def sky(r):
    _, y = grid()
    top = palette(r, (92, 152, 228), (70, 110, 190), (140, 170, 205), (176, 140, 190))
    low = palette(r, (186, 216, 242), (242, 212, 178), (214, 226, 236))
    cloud = np.clip(noise(r, 110, 50, 4) * 1.2 - r.uniform(-0.2, 0.3), 0, 1)
    return blend(blend(top[None, None], low[None, None], y / SIDE), np.array((250, 250, 252), np.float32), cloud * 0.85)


@texture
def stone(r):
    border, value, _ = cells(r, r.uniform(20, 32))
    base = palette(r, (146, 142, 136), (122, 124, 130), (164, 148, 126))
    face = shade(base, (value, 0.16), (noise(r, 3, 3), 0.07), (np.clip(border / 6, 0, 1) - 1, 0.22))
    return blend(palette(r, (74, 70, 66), (96, 92, 80)) + np.zeros_like(face), face, np.clip(border - 0.8, 0, 1))


@texture
def tile(r):
    pitch = r.uniform(24, 38)
    joint, value = courses(r, pitch, pitch, 1.1, 0)
    x, y = grid()
    check = ((np.floor(x / pitch) + np.floor(y / pitch)) % 2).astype(np.float32)
    a = palette(r, (226, 222, 212), (196, 214, 220), (216, 200, 180))
    b = palette(r, (92, 128, 140), (150, 92, 78), (70, 74, 84), (206, 202, 192))
    gloss = np.clip(1 - (x % pitch + y % pitch) / pitch, 0, 1)
    face = shade(blend(a[None, None], b[None, None], check * r.choice([0, 1, 1])), (value, 0.03), (gloss, 0.1))
    return blend(face, np.array((120, 116, 110), np.float32), joint)


@texture
def carpet(r):
    x, y = grid()
    pitch, base = r.uniform(26, 44), palette(r, (128, 46, 54), (52, 66, 110), (86, 96, 70), (150, 110, 70))
    other = palette(r, (206, 180, 130), (180, 70, 60), (200, 200, 196))
    u, v = x % pitch / pitch - 0.5, y % pitch / pitch - 0.5
    diamond = np.clip((0.36 - np.abs(u) - np.abs(v)) * 9, 0, 1) - np.clip((0.2 - np.abs(u) - np.abs(v)) * 9, 0, 1)
    weave = np.sin(x * 1.9) * np.sin(y * 1.9)
    return shade(
        blend(base[None, None], other[None, None], diamond * 0.85),
        (weave, 0.09),
        (noise(r, 1.6, 1.6), 0.09),
        (noise(r, 50, 50), 0.04),
    )


@texture
def hay(r):
    out = np.zeros((SIDE, SIDE), np.float32)
    s = r.uniform(0.8, 1.2)
    for angle in (0, 1, 2):  # three directions of straws, the highest one wins
        straws = noise(r, (2.2, 30, 3)[angle] * s, (30, 2.2, 20)[angle] * s)
        if angle == 2:
            x, y = (np.asarray(g, np.int32) for g in grid())
            straws = straws[(y + x // 2) % SIDE, (x + y // 2) % SIDE]
        out = np.maximum(out, straws)
    base = palette(r, (196, 160, 78), (214, 184, 104), (176, 148, 88))
    return shade(base, (out - 0.6, 0.34), (noise(r, 60, 60), 0.08))


@texture
def wood(r):
    x, y = grid()
    plank = r.uniform(44, 70)
    number = np.floor(x / plank)
    tone = r.uniform(-1, 1, 64).astype(np.float32)[number.astype(int) % 64]
    grain = np.sin(x / r.uniform(2.6, 4) + 5 * noise(r, 46, 240) + 9 * tone)
    gap = np.clip(1.6 - np.minimum(x % plank, plank - x % plank), 0, 1)
    base = palette(r, (166, 112, 66), (120, 80, 52), (196, 158, 110), (150, 128, 108))
    return shade(base, (grain, 0.1), (tone, 0.1), (noise(r, 2, 34), 0.08), (gap, -0.55))


@texture
def snow(r):
    base = palette(r, (232, 238, 246), (222, 230, 244), (240, 240, 240))
    drift = noise(r, 110, 50, 3)
    spark = (noise(r, 1.4, 1.4) > 1.25).astype(np.float32)
    return shade(base, (drift, 0.075), (spark, 0.08), (noise(r, 1.8, 1.8), 0.018))


# ------------------------------------------------------------------------------------------------ use
@cache
def pool() -> dict[str, list[np.ndarray]]:
    """All textures as uint8 (SIDE, SIDE, 3), drawn once per process."""
    r = np.random.default_rng(20)
    return {name: [np.clip(KINDS[name](r), 0, 255).astype(np.uint8) for _ in range(VARIANTS)] for name in STUFF}


def patch(name: str, r: np.random.Generator, side: int) -> np.ndarray:
    """A window of a random variant, varied in brightness and tint, float32 (side, side, 3) in about 0..255."""
    t = pool()[name][r.integers(VARIANTS)]
    y, x = r.integers(0, SIDE - side + 1, 2)
    t = t[y : y + side, x : x + side, :]
    t = t[:, ::-1] if r.random() < 0.5 else t
    return t * (r.uniform(0.85, 1.12) * r.uniform(0.95, 1.05, 3)).astype(np.float32)
