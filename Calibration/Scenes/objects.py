"""Things that people make. Each function draws one random variant; `p` is the drawing, `r` the generator."""

from __future__ import annotations

import numpy as np

from .drawing import band, ellipse, kind, mirrored, pie, polygon, rectangle, rounded, smooth, turned


@kind("box")
def box(p, r):
    d = r.uniform(0.3, 0.5)
    p.body(polygon(-1, -1 + d, -1 + d, -1, 1, -1, 1, 1 - d, 1 - d, 1, -1, 1))
    p.light(polygon(-1, -1 + d, -1 + d, -1, 1, -1, 1 - d, -1 + d), level=110)
    p.dark(polygon(1 - d, -1 + d, 1, -1, 1, 1 - d, 1 - d, 1), level=120)
    if r.random() < 0.6:  # tape
        m = (-1 + 1 - d) / 2
        p.accent(
            rectangle(m - 0.14, -1 + d, m + 0.14, 1),
            polygon(m - 0.14, -1 + d, m - 0.14 + d, -1, m + 0.14 + d, -1, m + 0.14, -1 + d),
        )


@kind("house")
def house(p, r):
    eaves = r.uniform(-0.25, -0.05)
    p.body(rectangle(-0.8, eaves, 0.8, 0.98))
    if r.random() < 0.6:
        p.accent(rectangle(0.35, -0.92, 0.6, -0.3), dark=60)
    p.accent(polygon(0, -1, 1, eaves + 0.06, -1, eaves + 0.06))
    p.dark(rectangle(-0.16, 0.35, 0.2, 0.98), level=200)
    for x in (-0.64, 0.36):
        p.light(rectangle(x, 0.16, x + 0.32, 0.5), level=210)
        p.dark(rectangle(x + 0.14, 0.16, x + 0.18, 0.5), rectangle(x, 0.31, x + 0.32, 0.35), level=170)


@kind("car")
def car(p, r):
    front, back = r.uniform(0.35, 0.6), r.uniform(-0.75, -0.45)
    p.body(
        rounded(-1, -0.12, 1, 0.5, 0.2),
        polygon(back - 0.15, 0, back + 0.12, -0.62, front - 0.2, -0.62, front + 0.22, 0),
    )
    p.light(
        polygon(back + 0.02, -0.1, back + 0.2, -0.5, -0.06, -0.5, -0.06, -0.1),
        polygon(0.06, -0.1, 0.06, -0.5, front - 0.26, -0.5, front + 0.04, -0.1),
    )
    for x in (-0.56, 0.56):
        p.dark(ellipse(x, 0.46, 0.31), level=240)
        p.light(ellipse(x, 0.46, 0.14))
    p.accent(rectangle(-1, 0.1, 1, 0.2))
    p.light(ellipse(0.92, 0.02, 0.09), level=240)


@kind("bus")
def bus(p, r):
    p.body(rounded(-1, -0.72, 1, 0.6, 0.16))
    p.light(
        *(rounded(x, -0.52, x + 0.34, -0.06, 0.05) for x in (-0.86, -0.43, 0)), rounded(0.46, -0.52, 0.92, -0.02, 0.05)
    )
    p.accent(rectangle(-1, 0.1, 1, 0.26))
    for x in (-0.58, 0.56):
        p.dark(ellipse(x, 0.58, 0.27), level=240)
        p.light(ellipse(x, 0.58, 0.12))


@kind("cup")
def cup(p, r):
    low = r.uniform(0.4, 0.6)
    p.body(ellipse(0.56, 0.02, 0.42, 0.48))
    p.cut(ellipse(0.58, 0.02, 0.2, 0.25))
    p.body(
        polygon(-0.9, -0.72, 0.55, -0.72, low * 0.75, 0.8, -low - 0.25, 0.8),
        ellipse((low * 0.75 - low - 0.25) / 2, 0.8, (low * 1.75 + 0.25) / 2, 0.17),
    )
    p.body(ellipse(-0.175, -0.72, 0.725, 0.22))
    p.dark(ellipse(-0.175, -0.72, 0.6, 0.14), level=190)
    if r.random() < 0.6:
        p.accent(polygon(-0.84, -0.3, 0.46, -0.3, 0.42, 0.1, -0.78, 0.1))


@kind("key")
def key(p, r):
    p.body(ellipse(-0.52, 0, 0.48, 0.55) if r.random() < 0.5 else rounded(-1, -0.52, -0.02, 0.52, 0.25))
    p.cut(ellipse(-0.58, 0, 0.17))
    p.body(rectangle(-0.1, -0.18, 1, 0.18))
    for x, depth in ((0.34, 0.55), (0.74, r.uniform(0.4, 0.6))):
        p.body(rectangle(x, 0.1, x + 0.26, depth))
    p.accent(rectangle(-0.1, -0.26, 0.06, 0.26))


@kind("flag")
def flag(p, r):
    p.dark(rectangle(-0.92, -1, -0.7, 1), level=150)
    wave = smooth(-0.75, -0.92, -0.2, -0.98, 0.35, -0.78, 1, -0.86, 0.98, 0.2, 0.35, 0.28, -0.2, 0.1, -0.75, 0.18)
    p.body(wave)
    if r.random() < 0.5:
        p.accent(
            polygon(
                -0.72, -0.56, -0.2, -0.62, 0.35, -0.42, 0.98, -0.5, 0.97, -0.14, 0.35, -0.08, -0.2, -0.26, -0.72, -0.2
            )
        )
    else:
        p.accent(ellipse(0.1, -0.36, 0.25))


@kind("crown")
def crown(p, r):
    dip = r.uniform(-0.05, 0.15)
    p.body(polygon(-1, -0.62, -0.5, dip, 0, -0.85, 0.5, dip, 1, -0.62, 0.8, 0.8, -0.8, 0.8))
    p.body(*(ellipse(x, y, 0.13) for x, y in ((-0.95, -0.68), (0, -0.86), (0.95, -0.68))))
    p.dark(polygon(-0.86, 0.42, 0.86, 0.42, 0.8, 0.8, -0.8, 0.8), level=80)
    p.accent(*(ellipse(x, 0.6, 0.12) for x in (-0.5, 0, 0.5)), ellipse(0, 0, 0.16))


@kind("umbrella")
def umbrella(p, r):
    p.body(pie(0, 0.2, 1, 1.18, 180, 360))
    for x in (-0.67, 0, 0.67):
        p.cut(ellipse(x, 0.24, 0.33, 0.14, 180, 360))
    p.dark(*band((0, 0.05, 0, 0.8, -0.12, 0.94, -0.3, 0.9, -0.36, 0.72), 0.17), level=200)
    p.accent(smooth(-0.33, 0.1, -0.22, -0.5, 0, -0.97, 0.22, -0.5, 0.33, 0.1, 0, 0.08))
    p.dark(rectangle(-0.05, -1, 0.05, -0.85), level=200)


@kind("bottle")
def bottle(p, r):
    w, shoulder = r.uniform(0.4, 0.5), r.uniform(-0.3, -0.05)
    p.body(rectangle(-0.19, -0.9, 0.19, shoulder))
    p.body(
        smooth(
            -0.19,
            shoulder - 0.15,
            0.19,
            shoulder - 0.15,
            w,
            shoulder + 0.3,
            w,
            0.5,
            w,
            1,
            0,
            0.99,
            -w,
            1,
            -w,
            0.5,
            -w,
            shoulder + 0.3,
        )
    )
    p.body(rounded(-w, shoulder + 0.3, w, 1, 0.1))
    p.accent(rounded(-0.22, -1, 0.22, -0.78, 0.04), rectangle(-w, 0.22, w, 0.68))
    p.light(rounded(-w + 0.08, shoulder + 0.35, -w + 0.18, 0.15, 0.04))


@kind("boat")
def boat(p, r):
    p.body(polygon(-1, 0.3, 1, 0.22, 0.7, 0.92, -0.7, 0.92))
    p.dark(polygon(-0.83, 0.68, 0.81, 0.68, 0.7, 0.92, -0.7, 0.92), level=110)
    p.dark(rectangle(-0.07, -1, 0.05, 0.35), level=190)
    p.accent(polygon(-0.1, -0.98, -0.1, 0.18, -0.9, 0.18))
    p.light(polygon(0.09, -0.75, 0.82, 0.14, 0.09, 0.16), level=220)


@kind("rocket")
def rocket(p, r):
    p.accent(polygon(-0.3, 0.1, -0.8, 0.75, -0.3, 0.68), polygon(0.3, 0.1, 0.8, 0.75, 0.3, 0.68))
    p.light(smooth(-0.2, 0.6, 0, 0.55, 0.2, 0.6, 0.12, 0.85, 0, 1, -0.12, 0.85), level=180)
    p.body(
        smooth(
            0, -1, 0.28, -0.62, 0.38, -0.1, 0.34, 0.5, 0.26, 0.72, -0.26, 0.72, -0.34, 0.5, -0.38, -0.1, -0.28, -0.62
        )
    )
    p.accent(smooth(0, -0.99, 0.2, -0.74, 0.27, -0.6, 0, -0.52, -0.27, -0.6, -0.2, -0.74))
    p.light(ellipse(0, -0.2, 0.18))
    p.dark(ellipse(0, -0.2, 0.11), level=150)


@kind("bell")
def bell(p, r):
    p.dark(ellipse(0, 0.82, 0.22, 0.18), level=150)
    p.body(
        ellipse(0, -0.85, 0.15),
        smooth(
            0,
            -0.92,
            0.4,
            -0.72,
            0.52,
            -0.15,
            0.68,
            0.38,
            0.98,
            0.7,
            0,
            0.8,
            -0.98,
            0.7,
            -0.68,
            0.38,
            -0.52,
            -0.15,
            -0.4,
            -0.72,
        ),
    )
    p.accent(polygon(-0.62, 0.2, 0.62, 0.2, 0.74, 0.42, -0.74, 0.42))
    p.light(turned(ellipse(-0.25, -0.3, 0.07, 0.3), 10, -0.25, -0.3))


@kind("clock")
def clock(p, r):
    if r.random() < 0.5:  # feet and bells of an alarm clock
        p.dark(*band((-0.4, 0.6, -0.62, 0.95), 0.16), *band((0.4, 0.6, 0.62, 0.95), 0.16), level=120)
        p.accent(ellipse(-0.62, -0.72, 0.26), ellipse(0.62, -0.72, 0.26))
    p.body(ellipse(0, 0, 0.92))
    p.light(ellipse(0, 0, 0.72), level=225)
    for i in range(12):
        p.dark(turned(rectangle(-0.04, -0.71, 0.04, -0.56), 30 * i), level=220)
    for length, width in ((0.4, 0.11), (0.58, 0.08)):
        p.dark(turned(rectangle(-width / 2, -length, width / 2, 0.08), r.uniform(0, 360)), level=250)


@kind("book")
def book(p, r):
    if r.random() < 0.5:  # closed, with its pages below
        p.body(rounded(-0.8, -1, 0.8, 1, 0.08))
        p.light(rectangle(-0.62, 0.76, 0.8, 0.92), level=225)
        p.dark(rectangle(-0.8, -1, -0.6, 1), level=110)
        p.accent(rectangle(-0.35, -0.6, 0.55, -0.1))
    else:  # open
        for side in (lambda q: q, mirrored):
            p.body(side(polygon(0, -0.62, 1, -0.8, 1, 0.72, 0, 0.9)))
            p.light(side(polygon(0, -0.6, 0.88, -0.78, 0.88, 0.56, 0, 0.76)), level=225)
            for y in np.arange(-0.4, 0.5, 0.22):
                p.dark(*(side(q) for q in band((0.14, y, 0.74, y - 0.1), 0.05)), level=130)
        p.dark(rectangle(-0.04, -0.62, 0.04, 0.86), level=160)


@kind("hat")
def hat(p, r):
    top = r.uniform(0.5, 0.6)
    p.body(
        ellipse(0, 0.62, 1, 0.32),
        polygon(-top, -0.9, top, -0.9, top * 1.04, 0.62, -top * 1.04, 0.62),
        ellipse(0, -0.88, top, 0.11),
    )
    p.accent(
        polygon(-top * 1.03, 0.1, top * 1.03, 0.1, top * 1.04, 0.5, -top * 1.04, 0.5),
        ellipse(0, 0.5, top * 1.04, 0.1, 0, 180),
    )


@kind("shirt")
def shirt(p, r):
    p.body(
        polygon(
            -0.4,
            -0.85,
            0.4,
            -0.85,
            1,
            -0.4,
            0.74,
            0.06,
            0.52,
            -0.12,
            0.54,
            0.9,
            -0.54,
            0.9,
            -0.52,
            -0.12,
            -0.74,
            0.06,
            -1,
            -0.4,
        )
    )
    p.cut(ellipse(0, -0.87, 0.22, 0.18))
    style = r.integers(3)
    if style == 0:
        p.accent(rectangle(-0.53, 0.15, 0.53, 0.45))
    elif style == 1:
        p.dark(rectangle(-0.02, -0.68, 0.02, 0.9), level=140)
        p.light(*(ellipse(0.08, y, 0.05) for y in (-0.4, 0, 0.4)))
    else:
        p.accent(
            polygon(1, -0.4, 0.74, 0.06, 0.64, -0.02, 0.88, -0.48),
            polygon(-1, -0.4, -0.74, 0.06, -0.64, -0.02, -0.88, -0.48),
        )


@kind("lock")
def lock(p, r):
    p.light(ellipse(0, -0.3, 0.6, 0.68), level=120)
    p.cut(ellipse(0, -0.26, 0.31, 0.4))
    p.body(rounded(-0.85, -0.2, 0.85, 1, 0.16))
    p.dark(ellipse(0, 0.3, 0.18), polygon(-0.09, 0.35, 0.09, 0.35, 0.15, 0.75, -0.15, 0.75), level=240)


@kind("balloon")
def balloon(p, r):
    p.body(
        smooth(0, -1, 0.5, -0.85, 0.72, -0.35, 0.55, 0.2, 0.1, 0.62, -0.1, 0.62, -0.55, 0.2, -0.72, -0.35, -0.5, -0.85),
        polygon(0, 0.55, 0.18, 0.8, -0.18, 0.8),
    )
    p.dark(*band((0, 0.78, 0.12, 0.88, 0.02, 1), 0.07), level=200)
    p.light(turned(ellipse(-0.32, -0.5, 0.1, 0.24), 25, -0.32, -0.5), level=220)


@kind("kite")
def kite(p, r):
    m = r.uniform(-0.45, -0.25)
    p.body(polygon(0, -1, 0.72, m, 0, 0.55, -0.72, m))
    p.accent(polygon(0, -1, 0.72, m, 0, m), polygon(0, 0.55, -0.72, m, 0, m))
    p.dark(*band((0, 0.5, 0.15, 0.65, -0.05, 0.8, 0.08, 0.97), 0.08), level=190)
    p.body(
        *(
            turned(polygon(-0.24, -0.11, 0.24, 0.11, 0.24, -0.11, -0.24, 0.11), a, x, y)
            for x, y, a in ((0.1, 0.68, 20), (0, 0.86, -20))
        )
    )


@kind("guitar")
def guitar(p, r):
    p.dark(rectangle(-0.13, -0.9, 0.13, 0.1), level=150)
    p.accent(rounded(-0.22, -1, 0.22, -0.72, 0.06))
    p.body(
        smooth(
            0,
            -0.28,
            0.42,
            -0.2,
            0.46,
            0.08,
            0.4,
            0.24,
            0.66,
            0.5,
            0.6,
            0.86,
            0,
            1,
            -0.6,
            0.86,
            -0.66,
            0.5,
            -0.4,
            0.24,
            -0.46,
            0.08,
            -0.42,
            -0.2,
        )
    )
    p.dark(ellipse(0, 0.3, 0.2), level=240)
    p.accent(rectangle(-0.26, 0.66, 0.26, 0.76), dark=100)
    p.light(rectangle(-0.06, -0.7, -0.02, 0.7), rectangle(0.02, -0.7, 0.06, 0.7), level=150)
