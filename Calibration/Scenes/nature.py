"""Things that grow or live, and plain figures. Each function draws one random variant; `p` is the drawing, `r` the generator."""
from __future__ import annotations

import numpy as np

from .drawing import band, ellipse, kind, mirrored, polygon, radial, rectangle, rounded, smooth, turned


@kind("star")
def star(p, r):
    n = int(r.choice([5, 5, 5, 6]))
    inner = r.uniform(.42, .52)
    p.body(radial(n, 1, inner))
    if r.random() < .5:
        p.accent(radial(n, .62, inner * .62))
    else:
        for i in range(n):
            tip, side = radial(n, 1, inner)[2 * i], radial(n, 1, inner)[2 * i + 1]
            p.dark(np.stack([tip, side, (0, 0)]), level=80)


@kind("heart")
def heart(p, r):
    w, dip = r.uniform(.88, 1), r.uniform(-.6, -.42)
    p.body(smooth(0, dip, .42 * w, -.92, .95 * w, -.6, .9 * w, -.02, .5 * w, .5, 0, 1, -.5 * w, .5, -.9 * w, -.02, -.95 * w, -.6, -.42 * w, -.92))
    p.light(turned(ellipse(-.5, -.52, .13, .22), 35, -.5, -.52))


@kind("cross")
def cross(p, r):
    a = r.uniform(.3, .4)
    shape = rectangle if r.random() < .5 else lambda *c: rounded(*c, .14)
    p.body(shape(-a, -1, a, 1), shape(-1, -a, 1, a))
    if r.random() < .5:
        p.accent(shape(-a * .45, -.82, a * .45, .82), shape(-.82, -a * .45, .82, a * .45))


@kind("ring")
def ring(p, r):
    hole = r.uniform(.36, .46)
    p.body(ellipse(0, 0, 1))
    if r.random() < .5:
        p.accent(ellipse(0, 0, .8))
        p.body(ellipse(0, 0, .6))
    for a in range(0, 360, 90) if r.random() < .4 else ():
        p.accent(turned(polygon(-.2, -1, .2, -1, .12, -.3, -.12, -.3), a + 45))
    p.cut(ellipse(0, 0, hole))


@kind("arrow")
def arrow(p, r):
    w, neck = r.uniform(.26, .36), r.uniform(-.1, .15)
    p.body(rectangle(-1, -w, neck + .05, w), polygon(neck, -.88, 1, 0, neck, .88))
    if r.random() < .5:
        p.accent(rectangle(-1, -w, -.8, w), rectangle(-.65, -w, -.5, w))


@kind("moon")
def moon(p, r):
    p.body(ellipse(0, 0, 1))
    d = r.uniform(.5, .62)
    p.dark(ellipse(-.62, .15, .13), ellipse(-.35, .62, .1), ellipse(-.45, -.45, .08), level=90)
    p.cut(ellipse(d, -.12, .74))


@kind("gem")
def gem(p, r):
    t, w = r.uniform(.45, .62), r.uniform(-.35, -.2)
    p.body(polygon(-t, -.85, t, -.85, 1, w, 0, 1, -1, w))
    p.light(polygon(-t, -.85, t, -.85, .4, w, -.4, w), level=150)
    p.light(polygon(-1, w, -.4, w, 0, 1), level=70)
    p.dark(polygon(1, w, .4, w, 0, 1), level=110)
    p.dark(polygon(t, -.85, 1, w, .4, w), level=60)


@kind("tree")
def tree(p, r):
    p.accent(rectangle(-.17, .4, .17, 1), dark=90)
    if r.random() < .5:                                        # conifer
        for top, base, half in ((-.25, .66, .95), (-.62, .22, .78), (-1, -.3, .58)):
            p.body(polygon(0, top - .2 if top > -1 else top, half, base, -half, base))
            p.dark(polygon(-half, base, half, base, half * .8, base - .1, -half * .8, base - .1), level=90)
    else:
        for _ in range(2):
            for x, y, s in ((-.5, .05, .48), (.5, .05, .48), (-.28, -.45, .5), (.3, -.45, .5), (0, .1, .5)):
                p.body(ellipse(x + r.uniform(-.05, .05), y + r.uniform(-.05, .05), s))
        for _ in range(9):
            p.dark(ellipse(r.uniform(-.6, .6), r.uniform(-.6, .35), .09, .06), level=80)


@kind("apple")
def apple(p, r):
    p.body(smooth(0, -.48, .4, -.68, .85, -.42, .88, .2, .5, .85, .15, .97, 0, .9, -.15, .97, -.5, .85, -.88, .2, -.85, -.42, -.4, -.68))
    p.dark(*band((0, -.45, .06, -.72, .16, -.98), .13), level=180)
    p.accent(smooth(.14, -.74, .45, -1, .85, -.9, .55, -.66))
    p.light(turned(ellipse(-.48, -.15, .12, .28), 20, -.48, -.15))


@kind("flower")
def flower(p, r):
    n = int(r.integers(5, 8))
    spread, width = .58, 1.35 / n + .12
    for i in range(n):
        p.body(turned(ellipse(0, -spread, width, .42), 360 * i / n))
    for i in range(n):
        p.dark(turned(ellipse(0, -.5, .035, .24), 360 * i / n), level=90)
    p.accent(ellipse(0, 0, r.uniform(.26, .36)))
    p.accent(*(turned(ellipse(0, -.14, .04), 360 * i / 6) for i in range(6)), dark=110)


@kind("leaf")
def leaf(p, r):
    w = r.uniform(.55, .72)
    p.body(smooth(0, -1, w * .62, -.55, w, .05, w * .55, .6, 0, .84, -w * .55, .6, -w, .05, -w * .62, -.55))
    p.dark(*band((0, -.8, 0, 1), .09), level=140)
    for y in (-.4, 0, .4):
        for s in (-1, 1):
            p.dark(*band((0, y + .15, s * w * .62, y - .2), .05), level=110)


@kind("mushroom")
def mushroom(p, r):
    s = r.uniform(.26, .36)
    p.light(smooth(-s, -.1, s, -.1, s * 1.1, .5, s * 1.5, .95, -s * 1.5, .95, -s * 1.1, .5), level=225)
    p.body(smooth(-1, .08, -.88, -.45, -.45, -.86, 0, -.97, .45, -.86, .88, -.45, 1, .08, .5, .2, 0, .23, -.5, .2))
    for x, y, d in ((-.5, -.3, .17), (.05, -.62, .18), (.55, -.25, .15), (0, -.1, .11)):
        p.light(ellipse(x + r.uniform(-.06, .06), y, d, d * .85), level=230)


@kind("fish")
def fish(p, r):
    h = r.uniform(.5, .64)
    p.accent(polygon(.42, 0, 1, -.62, .86, 0, 1, .62), smooth(-.2, -h * .8, .1, -h * 1.6, .35, -h * .6))
    p.body(smooth(-1, 0, -.72, -.36 * h / .5, -.2, -h, .3, -.3, .6, 0, .3, .3, -.2, h, -.72, .36 * h / .5))
    p.accent(polygon(-.2, .1, .2, .32, -.05, .5))
    p.light(ellipse(-.66, -.12, .13), level=235)
    p.dark(ellipse(-.68, -.12, .07), level=255)
    p.dark(*band((-.42, -.32, -.34, 0, -.42, .32), .05), level=110)


@kind("bird")
def bird(p, r):
    p.accent(polygon(-.7, -.55, -1, -.38, -.7, -.3))
    p.body(polygon(.4, .05, 1, -.3, .98, .1, .5, .45))
    p.body(smooth(-.75, -.5, -.5, -.82, -.12, -.7, .1, -.2, .55, .1, .5, .5, 0, .75, -.5, .5, -.68, 0))
    p.dark(smooth(-.25, -.02, .2, -.1, .62, .2, .2, .48, -.15, .35), level=90)
    p.light(ellipse(-.47, -.52, .11), level=235)
    p.dark(ellipse(-.48, -.52, .055), level=255)
    for x in (-.15, .15):
        p.dark(*band((x, .7, x, .97), .08), level=190)


@kind("butterfly")
def butterfly(p, r):
    upper = smooth(.05, -.1, .3, -.75, .8, -.95, 1, -.55, .75, -.05, .3, .05)
    lower = smooth(.05, .05, .4, .02, .8, .25, .78, .72, .42, .9, .15, .5)
    for side in (lambda q: q, mirrored):
        p.body(side(upper), side(lower))
        p.accent(side(ellipse(.68, -.55, .17)), side(ellipse(.5, .5, .15)))
        p.dark(*(side(q) for q in band((.03, -.6, .22, -.95), .05)), level=230)
    p.dark(ellipse(0, -.02, .1, .6), ellipse(0, -.62, .12), level=220)


@kind("cat")
def cat(p, r):
    for side in (lambda q: q, mirrored):
        p.body(side(polygon(.2, -.55, .82, -1, .9, -.1)))
        p.accent(side(polygon(.42, -.56, .74, -.8, .76, -.3)))
    p.body(smooth(0, -.66, .6, -.52, .92, .05, .8, .6, .35, .92, 0, .96, -.35, .92, -.8, .6, -.92, .05, -.6, -.52))
    for s in (-1, 1):
        p.light(ellipse(.38 * s, 0, .18, .2), level=235)
        p.dark(ellipse(.38 * s, 0, .07, .17), level=255)
        for y in (.35, .5):
            p.dark(*band((s * .3, .42, s * .97, y - .05), .04), level=210)
    p.accent(polygon(-.12, .28, .12, .28, 0, .44))
    p.dark(*band((0, .42, 0, .55, .16, .66), .05), *band((0, .55, -.16, .66), .05), level=200)


@kind("bear")
def bear(p, r):
    for s in (-1, 1):
        p.body(ellipse(.66 * s, -.62, .34))
        p.dark(ellipse(.66 * s, -.62, .18), level=100)
    p.body(ellipse(0, .1, .92, .85))
    p.light(ellipse(0, .42, .46, .36), level=130)
    p.dark(ellipse(0, .25, .17, .12), ellipse(-.36, -.1, .1), ellipse(.36, -.1, .1), level=255)
    p.dark(*band((0, .34, 0, .5, .16, .6), .05), *band((0, .5, -.16, .6), .05), level=200)


@kind("cactus")
def cactus(p, r):
    y = r.uniform(-.1, .1)
    p.body(rounded(-.27, -1, .27, .6, .27))
    p.body(*band((.2, y + .2, .72, y + .2), .34), *band((.72, y + .2, .72, y - .35), .34))
    p.body(*band((-.2, y + .32, -.72, y + .32), .34), *band((-.72, y + .32, -.72, y - .1), .34))
    for x in (-.1, .1):
        p.dark(*band((x, -.8, x, .5), .04), level=120)
    p.accent(polygon(-.6, .5, .6, .5, .45, 1, -.45, 1), rectangle(-.68, .45, .68, .62))


@kind("ball")
def ball(p, r):
    p.body(ellipse(0, 0, 1))
    style = r.integers(3)
    if style == 0:                                             # beach ball
        for a in range(0, 360, 120):
            p.accent(turned(smooth(0, -.1, .35, -.5, .5, -.86, 0, -.99, -.05, -.5), a))
        p.light(ellipse(0, 0, .14))
    elif style == 1:
        p.accent(smooth(-.97, -.24, 0, -.05, .97, -.24, .97, .2, 0, .38, -.97, .2))
    else:                                                      # basketball seams
        p.dark(*band((0, -.97, 0, .97), .06), *band((-.97, 0, .97, 0), .06), level=190)
        for s in (-1, 1):
            p.dark(*band(np.stack([s * (1.15 - .75 * np.cos(t := np.linspace(-.85, .85, 12))), .95 * np.sin(t)], 1).ravel(), .06), level=190)
    p.light(turned(ellipse(-.42, -.5, .2, .13), -40, -.42, -.5))
