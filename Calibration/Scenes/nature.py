"""Plants, animals and plain figures.

Each function draws one random variant; `p` is the drawing, `r` the generator.
"""

from __future__ import annotations

import numpy as np

from .drawing import band, ellipse, kind, mirrored, polygon, radial, rectangle, rounded, smooth, turned


@kind("star")
def star(p, r):
    n = int(r.choice([5, 5, 5, 6]))
    inner = r.uniform(0.42, 0.52)
    p.body(radial(n, 1, inner))
    if r.random() < 0.5:
        p.accent(radial(n, 0.62, inner * 0.62))
    else:
        for i in range(n):
            tip, side = radial(n, 1, inner)[2 * i], radial(n, 1, inner)[2 * i + 1]
            p.dark(np.stack([tip, side, (0, 0)]), level=80)


@kind("heart")
def heart(p, r):
    w, dip = r.uniform(0.88, 1), r.uniform(-0.6, -0.42)
    p.body(
        smooth(
            0,
            dip,
            0.42 * w,
            -0.92,
            0.95 * w,
            -0.6,
            0.9 * w,
            -0.02,
            0.5 * w,
            0.5,
            0,
            1,
            -0.5 * w,
            0.5,
            -0.9 * w,
            -0.02,
            -0.95 * w,
            -0.6,
            -0.42 * w,
            -0.92,
        )
    )
    p.light(turned(ellipse(-0.5, -0.52, 0.13, 0.22), 35, -0.5, -0.52))


@kind("cross")
def cross(p, r):
    a = r.uniform(0.3, 0.4)
    shape = rectangle if r.random() < 0.5 else lambda *c: rounded(*c, 0.14)
    p.body(shape(-a, -1, a, 1), shape(-1, -a, 1, a))
    if r.random() < 0.5:
        p.accent(shape(-a * 0.45, -0.82, a * 0.45, 0.82), shape(-0.82, -a * 0.45, 0.82, a * 0.45))


@kind("ring")
def ring(p, r):
    hole = r.uniform(0.36, 0.46)
    p.body(ellipse(0, 0, 1))
    if r.random() < 0.5:
        p.accent(ellipse(0, 0, 0.8))
        p.body(ellipse(0, 0, 0.6))
    for a in range(0, 360, 90) if r.random() < 0.4 else ():
        p.accent(turned(polygon(-0.2, -1, 0.2, -1, 0.12, -0.3, -0.12, -0.3), a + 45))
    p.cut(ellipse(0, 0, hole))


@kind("arrow")
def arrow(p, r):
    w, neck = r.uniform(0.26, 0.36), r.uniform(-0.1, 0.15)
    p.body(rectangle(-1, -w, neck + 0.05, w), polygon(neck, -0.88, 1, 0, neck, 0.88))
    if r.random() < 0.5:
        p.accent(rectangle(-1, -w, -0.8, w), rectangle(-0.65, -w, -0.5, w))


@kind("moon")
def moon(p, r):
    p.body(ellipse(0, 0, 1))
    d = r.uniform(0.5, 0.62)
    p.dark(ellipse(-0.62, 0.15, 0.13), ellipse(-0.35, 0.62, 0.1), ellipse(-0.45, -0.45, 0.08), level=90)
    p.cut(ellipse(d, -0.12, 0.74))


@kind("gem")
def gem(p, r):
    t, w = r.uniform(0.45, 0.62), r.uniform(-0.35, -0.2)
    p.body(polygon(-t, -0.85, t, -0.85, 1, w, 0, 1, -1, w))
    p.light(polygon(-t, -0.85, t, -0.85, 0.4, w, -0.4, w), level=150)
    p.light(polygon(-1, w, -0.4, w, 0, 1), level=70)
    p.dark(polygon(1, w, 0.4, w, 0, 1), level=110)
    p.dark(polygon(t, -0.85, 1, w, 0.4, w), level=60)


@kind("tree")
def tree(p, r):
    p.accent(rectangle(-0.17, 0.4, 0.17, 1), dark=90)
    if r.random() < 0.5:  # conifer
        for top, base, half in ((-0.25, 0.66, 0.95), (-0.62, 0.22, 0.78), (-1, -0.3, 0.58)):
            p.body(polygon(0, top - 0.2 if top > -1 else top, half, base, -half, base))
            p.dark(polygon(-half, base, half, base, half * 0.8, base - 0.1, -half * 0.8, base - 0.1), level=90)
    else:
        for _ in range(2):
            for x, y, s in (
                (-0.5, 0.05, 0.48),
                (0.5, 0.05, 0.48),
                (-0.28, -0.45, 0.5),
                (0.3, -0.45, 0.5),
                (0, 0.1, 0.5),
            ):
                p.body(ellipse(x + r.uniform(-0.05, 0.05), y + r.uniform(-0.05, 0.05), s))
        for _ in range(9):
            p.dark(ellipse(r.uniform(-0.6, 0.6), r.uniform(-0.6, 0.35), 0.09, 0.06), level=80)


@kind("apple")
def apple(p, r):
    p.body(
        smooth(
            0,
            -0.48,
            0.4,
            -0.68,
            0.85,
            -0.42,
            0.88,
            0.2,
            0.5,
            0.85,
            0.15,
            0.97,
            0,
            0.9,
            -0.15,
            0.97,
            -0.5,
            0.85,
            -0.88,
            0.2,
            -0.85,
            -0.42,
            -0.4,
            -0.68,
        )
    )
    p.dark(*band((0, -0.45, 0.06, -0.72, 0.16, -0.98), 0.13), level=180)
    p.accent(smooth(0.14, -0.74, 0.45, -1, 0.85, -0.9, 0.55, -0.66))
    p.light(turned(ellipse(-0.48, -0.15, 0.12, 0.28), 20, -0.48, -0.15))


@kind("flower")
def flower(p, r):
    n = int(r.integers(5, 8))
    spread, width = 0.58, 1.35 / n + 0.12
    for i in range(n):
        p.body(turned(ellipse(0, -spread, width, 0.42), 360 * i / n))
    for i in range(n):
        p.dark(turned(ellipse(0, -0.5, 0.035, 0.24), 360 * i / n), level=90)
    p.accent(ellipse(0, 0, r.uniform(0.26, 0.36)))
    p.accent(*(turned(ellipse(0, -0.14, 0.04), 360 * i / 6) for i in range(6)), dark=110)


@kind("leaf")
def leaf(p, r):
    w = r.uniform(0.55, 0.72)
    p.body(smooth(0, -1, w * 0.62, -0.55, w, 0.05, w * 0.55, 0.6, 0, 0.84, -w * 0.55, 0.6, -w, 0.05, -w * 0.62, -0.55))
    p.dark(*band((0, -0.8, 0, 1), 0.09), level=140)
    for y in (-0.4, 0, 0.4):
        for s in (-1, 1):
            p.dark(*band((0, y + 0.15, s * w * 0.62, y - 0.2), 0.05), level=110)


@kind("mushroom")
def mushroom(p, r):
    s = r.uniform(0.26, 0.36)
    p.light(smooth(-s, -0.1, s, -0.1, s * 1.1, 0.5, s * 1.5, 0.95, -s * 1.5, 0.95, -s * 1.1, 0.5), level=225)
    p.body(
        smooth(
            -1,
            0.08,
            -0.88,
            -0.45,
            -0.45,
            -0.86,
            0,
            -0.97,
            0.45,
            -0.86,
            0.88,
            -0.45,
            1,
            0.08,
            0.5,
            0.2,
            0,
            0.23,
            -0.5,
            0.2,
        )
    )
    for x, y, d in ((-0.5, -0.3, 0.17), (0.05, -0.62, 0.18), (0.55, -0.25, 0.15), (0, -0.1, 0.11)):
        p.light(ellipse(x + r.uniform(-0.06, 0.06), y, d, d * 0.85), level=230)


@kind("fish")
def fish(p, r):
    h = r.uniform(0.5, 0.64)
    p.accent(polygon(0.42, 0, 1, -0.62, 0.86, 0, 1, 0.62), smooth(-0.2, -h * 0.8, 0.1, -h * 1.6, 0.35, -h * 0.6))
    p.body(smooth(-1, 0, -0.72, -0.36 * h / 0.5, -0.2, -h, 0.3, -0.3, 0.6, 0, 0.3, 0.3, -0.2, h, -0.72, 0.36 * h / 0.5))
    p.accent(polygon(-0.2, 0.1, 0.2, 0.32, -0.05, 0.5))
    p.light(ellipse(-0.66, -0.12, 0.13), level=235)
    p.dark(ellipse(-0.68, -0.12, 0.07), level=255)
    p.dark(*band((-0.42, -0.32, -0.34, 0, -0.42, 0.32), 0.05), level=110)


@kind("bird")
def bird(p, r):
    p.accent(polygon(-0.7, -0.55, -1, -0.38, -0.7, -0.3))
    p.body(polygon(0.4, 0.05, 1, -0.3, 0.98, 0.1, 0.5, 0.45))
    p.body(smooth(-0.75, -0.5, -0.5, -0.82, -0.12, -0.7, 0.1, -0.2, 0.55, 0.1, 0.5, 0.5, 0, 0.75, -0.5, 0.5, -0.68, 0))
    p.dark(smooth(-0.25, -0.02, 0.2, -0.1, 0.62, 0.2, 0.2, 0.48, -0.15, 0.35), level=90)
    p.light(ellipse(-0.47, -0.52, 0.11), level=235)
    p.dark(ellipse(-0.48, -0.52, 0.055), level=255)
    for x in (-0.15, 0.15):
        p.dark(*band((x, 0.7, x, 0.97), 0.08), level=190)


@kind("butterfly")
def butterfly(p, r):
    upper = smooth(0.05, -0.1, 0.3, -0.75, 0.8, -0.95, 1, -0.55, 0.75, -0.05, 0.3, 0.05)
    lower = smooth(0.05, 0.05, 0.4, 0.02, 0.8, 0.25, 0.78, 0.72, 0.42, 0.9, 0.15, 0.5)
    for side in (lambda q: q, mirrored):
        p.body(side(upper), side(lower))
        p.accent(side(ellipse(0.68, -0.55, 0.17)), side(ellipse(0.5, 0.5, 0.15)))
        p.dark(*(side(q) for q in band((0.03, -0.6, 0.22, -0.95), 0.05)), level=230)
    p.dark(ellipse(0, -0.02, 0.1, 0.6), ellipse(0, -0.62, 0.12), level=220)


@kind("cat")
def cat(p, r):
    for side in (lambda q: q, mirrored):
        p.body(side(polygon(0.2, -0.55, 0.82, -1, 0.9, -0.1)))
        p.accent(side(polygon(0.42, -0.56, 0.74, -0.8, 0.76, -0.3)))
    p.body(
        smooth(
            0,
            -0.66,
            0.6,
            -0.52,
            0.92,
            0.05,
            0.8,
            0.6,
            0.35,
            0.92,
            0,
            0.96,
            -0.35,
            0.92,
            -0.8,
            0.6,
            -0.92,
            0.05,
            -0.6,
            -0.52,
        )
    )
    for s in (-1, 1):
        p.light(ellipse(0.38 * s, 0, 0.18, 0.2), level=235)
        p.dark(ellipse(0.38 * s, 0, 0.07, 0.17), level=255)
        for y in (0.35, 0.5):
            p.dark(*band((s * 0.3, 0.42, s * 0.97, y - 0.05), 0.04), level=210)
    p.accent(polygon(-0.12, 0.28, 0.12, 0.28, 0, 0.44))
    p.dark(*band((0, 0.42, 0, 0.55, 0.16, 0.66), 0.05), *band((0, 0.55, -0.16, 0.66), 0.05), level=200)


@kind("bear")
def bear(p, r):
    for s in (-1, 1):
        p.body(ellipse(0.66 * s, -0.62, 0.34))
        p.dark(ellipse(0.66 * s, -0.62, 0.18), level=100)
    p.body(ellipse(0, 0.1, 0.92, 0.85))
    p.light(ellipse(0, 0.42, 0.46, 0.36), level=130)
    p.dark(ellipse(0, 0.25, 0.17, 0.12), ellipse(-0.36, -0.1, 0.1), ellipse(0.36, -0.1, 0.1), level=255)
    p.dark(*band((0, 0.34, 0, 0.5, 0.16, 0.6), 0.05), *band((0, 0.5, -0.16, 0.6), 0.05), level=200)


@kind("cactus")
def cactus(p, r):
    y = r.uniform(-0.1, 0.1)
    p.body(rounded(-0.27, -1, 0.27, 0.6, 0.27))
    p.body(*band((0.2, y + 0.2, 0.72, y + 0.2), 0.34), *band((0.72, y + 0.2, 0.72, y - 0.35), 0.34))
    p.body(*band((-0.2, y + 0.32, -0.72, y + 0.32), 0.34), *band((-0.72, y + 0.32, -0.72, y - 0.1), 0.34))
    for x in (-0.1, 0.1):
        p.dark(*band((x, -0.8, x, 0.5), 0.04), level=120)
    p.accent(polygon(-0.6, 0.5, 0.6, 0.5, 0.45, 1, -0.45, 1), rectangle(-0.68, 0.45, 0.68, 0.62))


@kind("ball")
def ball(p, r):
    p.body(ellipse(0, 0, 1))
    style = r.integers(3)
    if style == 0:  # beach ball
        for a in range(0, 360, 120):
            p.accent(turned(smooth(0, -0.1, 0.35, -0.5, 0.5, -0.86, 0, -0.99, -0.05, -0.5), a))
        p.light(ellipse(0, 0, 0.14))
    elif style == 1:
        p.accent(smooth(-0.97, -0.24, 0, -0.05, 0.97, -0.24, 0.97, 0.2, 0, 0.38, -0.97, 0.2))
    else:  # basketball seams
        p.dark(*band((0, -0.97, 0, 0.97), 0.06), *band((-0.97, 0, 0.97, 0), 0.06), level=190)
        for s in (-1, 1):
            p.dark(
                *band(
                    np.stack(
                        [s * (1.15 - 0.75 * np.cos(t := np.linspace(-0.85, 0.85, 12))), 0.95 * np.sin(t)], 1
                    ).ravel(),
                    0.06,
                ),
                level=190,
            )
    p.light(turned(ellipse(-0.42, -0.5, 0.2, 0.13), -40, -0.42, -0.5))
