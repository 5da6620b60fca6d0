"""Things that people make. Each function draws one random variant; `p` is the drawing, `r` the generator."""
from __future__ import annotations

import numpy as np

from .drawing import band, ellipse, kind, mirrored, pie, polygon, rectangle, rounded, smooth, turned


@kind("box")
def box(p, r):
    d = r.uniform(.3, .5)
    p.body(polygon(-1, -1 + d, -1 + d, -1, 1, -1, 1, 1 - d, 1 - d, 1, -1, 1))
    p.light(polygon(-1, -1 + d, -1 + d, -1, 1, -1, 1 - d, -1 + d), level=110)
    p.dark(polygon(1 - d, -1 + d, 1, -1, 1, 1 - d, 1 - d, 1), level=120)
    if r.random() < .6:                                        # tape
        m = (-1 + 1 - d) / 2
        p.accent(rectangle(m - .14, -1 + d, m + .14, 1), polygon(m - .14, -1 + d, m - .14 + d, -1, m + .14 + d, -1, m + .14, -1 + d))


@kind("house")
def house(p, r):
    eaves = r.uniform(-.25, -.05)
    p.body(rectangle(-.8, eaves, .8, .98))
    if r.random() < .6:
        p.accent(rectangle(.35, -.92, .6, -.3), dark=60)
    p.accent(polygon(0, -1, 1, eaves + .06, -1, eaves + .06))
    p.dark(rectangle(-.16, .35, .2, .98), level=200)
    for x in (-.64, .36):
        p.light(rectangle(x, .16, x + .32, .5), level=210)
        p.dark(rectangle(x + .14, .16, x + .18, .5), rectangle(x, .31, x + .32, .35), level=170)


@kind("car")
def car(p, r):
    front, back = r.uniform(.35, .6), r.uniform(-.75, -.45)
    p.body(rounded(-1, -.12, 1, .5, .2), polygon(back - .15, 0, back + .12, -.62, front - .2, -.62, front + .22, 0))
    p.light(polygon(back + .02, -.1, back + .2, -.5, -.06, -.5, -.06, -.1), polygon(.06, -.1, .06, -.5, front - .26, -.5, front + .04, -.1))
    for x in (-.56, .56):
        p.dark(ellipse(x, .46, .31), level=240)
        p.light(ellipse(x, .46, .14))
    p.accent(rectangle(-1, .1, 1, .2))
    p.light(ellipse(.92, .02, .09), level=240)


@kind("bus")
def bus(p, r):
    p.body(rounded(-1, -.72, 1, .6, .16))
    p.light(*(rounded(x, -.52, x + .34, -.06, .05) for x in (-.86, -.43, 0)), rounded(.46, -.52, .92, -.02, .05))
    p.accent(rectangle(-1, .1, 1, .26))
    for x in (-.58, .56):
        p.dark(ellipse(x, .58, .27), level=240)
        p.light(ellipse(x, .58, .12))


@kind("cup")
def cup(p, r):
    low = r.uniform(.4, .6)
    p.body(ellipse(.56, .02, .42, .48))
    p.cut(ellipse(.58, .02, .2, .25))
    p.body(polygon(-.9, -.72, .55, -.72, low * .75, .8, -low - .25, .8), ellipse((low * .75 - low - .25) / 2, .8, (low * 1.75 + .25) / 2, .17))
    p.body(ellipse(-.175, -.72, .725, .22))
    p.dark(ellipse(-.175, -.72, .6, .14), level=190)
    if r.random() < .6:
        p.accent(polygon(-.84, -.3, .46, -.3, .42, .1, -.78, .1))


@kind("key")
def key(p, r):
    p.body(ellipse(-.52, 0, .48, .55) if r.random() < .5 else rounded(-1, -.52, -.02, .52, .25))
    p.cut(ellipse(-.58, 0, .17))
    p.body(rectangle(-.1, -.18, 1, .18))
    for x, depth in ((.34, .55), (.74, r.uniform(.4, .6))):
        p.body(rectangle(x, .1, x + .26, depth))
    p.accent(rectangle(-.1, -.26, .06, .26))


@kind("flag")
def flag(p, r):
    p.dark(rectangle(-.92, -1, -.7, 1), level=150)
    wave = smooth(-.75, -.92, -.2, -.98, .35, -.78, 1, -.86, .98, .2, .35, .28, -.2, .1, -.75, .18)
    p.body(wave)
    if r.random() < .5:
        p.accent(polygon(-.72, -.56, -.2, -.62, .35, -.42, .98, -.5, .97, -.14, .35, -.08, -.2, -.26, -.72, -.2))
    else:
        p.accent(ellipse(.1, -.36, .25))


@kind("crown")
def crown(p, r):
    dip = r.uniform(-.05, .15)
    p.body(polygon(-1, -.62, -.5, dip, 0, -.85, .5, dip, 1, -.62, .8, .8, -.8, .8))
    p.body(*(ellipse(x, y, .13) for x, y in ((-.95, -.68), (0, -.86), (.95, -.68))))
    p.dark(polygon(-.86, .42, .86, .42, .8, .8, -.8, .8), level=80)
    p.accent(*(ellipse(x, .6, .12) for x in (-.5, 0, .5)), ellipse(0, 0, .16))


@kind("umbrella")
def umbrella(p, r):
    p.body(pie(0, .2, 1, 1.18, 180, 360))
    for x in (-.67, 0, .67):
        p.cut(ellipse(x, .24, .33, .14, 180, 360))
    p.dark(*band((0, .05, 0, .8, -.12, .94, -.3, .9, -.36, .72), .17), level=200)
    p.accent(smooth(-.33, .1, -.22, -.5, 0, -.97, .22, -.5, .33, .1, 0, .08))
    p.dark(rectangle(-.05, -1, .05, -.85), level=200)


@kind("bottle")
def bottle(p, r):
    w, shoulder = r.uniform(.4, .5), r.uniform(-.3, -.05)
    p.body(rectangle(-.19, -.9, .19, shoulder))
    p.body(smooth(-.19, shoulder - .15, .19, shoulder - .15, w, shoulder + .3, w, .5, w, 1, 0, .99, -w, 1, -w, .5, -w, shoulder + .3))
    p.body(rounded(-w, shoulder + .3, w, 1, .1))
    p.accent(rounded(-.22, -1, .22, -.78, .04), rectangle(-w, .22, w, .68))
    p.light(rounded(-w + .08, shoulder + .35, -w + .18, .15, .04))


@kind("boat")
def boat(p, r):
    p.body(polygon(-1, .3, 1, .22, .7, .92, -.7, .92))
    p.dark(polygon(-.83, .68, .81, .68, .7, .92, -.7, .92), level=110)
    p.dark(rectangle(-.07, -1, .05, .35), level=190)
    p.accent(polygon(-.1, -.98, -.1, .18, -.9, .18))
    p.light(polygon(.09, -.75, .82, .14, .09, .16), level=220)


@kind("rocket")
def rocket(p, r):
    p.accent(polygon(-.3, .1, -.8, .75, -.3, .68), polygon(.3, .1, .8, .75, .3, .68))
    p.light(smooth(-.2, .6, 0, .55, .2, .6, .12, .85, 0, 1, -.12, .85), level=180)
    p.body(smooth(0, -1, .28, -.62, .38, -.1, .34, .5, .26, .72, -.26, .72, -.34, .5, -.38, -.1, -.28, -.62))
    p.accent(smooth(0, -.99, .2, -.74, .27, -.6, 0, -.52, -.27, -.6, -.2, -.74))
    p.light(ellipse(0, -.2, .18))
    p.dark(ellipse(0, -.2, .11), level=150)


@kind("bell")
def bell(p, r):
    p.dark(ellipse(0, .82, .22, .18), level=150)
    p.body(ellipse(0, -.85, .15), smooth(0, -.92, .4, -.72, .52, -.15, .68, .38, .98, .7, 0, .8, -.98, .7, -.68, .38, -.52, -.15, -.4, -.72))
    p.accent(polygon(-.62, .2, .62, .2, .74, .42, -.74, .42))
    p.light(turned(ellipse(-.25, -.3, .07, .3), 10, -.25, -.3))


@kind("clock")
def clock(p, r):
    if r.random() < .5:                                        # feet and bells of an alarm clock
        p.dark(*band((-.4, .6, -.62, .95), .16), *band((.4, .6, .62, .95), .16), level=120)
        p.accent(ellipse(-.62, -.72, .26), ellipse(.62, -.72, .26))
    p.body(ellipse(0, 0, .92))
    p.light(ellipse(0, 0, .72), level=225)
    for i in range(12):
        p.dark(turned(rectangle(-.04, -.71, .04, -.56), 30 * i), level=220)
    for length, width in ((.4, .11), (.58, .08)):
        p.dark(turned(rectangle(-width / 2, -length, width / 2, .08), r.uniform(0, 360)), level=250)


@kind("book")
def book(p, r):
    if r.random() < .5:                                        # closed, with its pages below
        p.body(rounded(-.8, -1, .8, 1, .08))
        p.light(rectangle(-.62, .76, .8, .92), level=225)
        p.dark(rectangle(-.8, -1, -.6, 1), level=110)
        p.accent(rectangle(-.35, -.6, .55, -.1))
    else:                                                      # open
        for side in (lambda q: q, mirrored):
            p.body(side(polygon(0, -.62, 1, -.8, 1, .72, 0, .9)))
            p.light(side(polygon(0, -.6, .88, -.78, .88, .56, 0, .76)), level=225)
            for y in np.arange(-.4, .5, .22):
                p.dark(*(side(q) for q in band((.14, y, .74, y - .1), .05)), level=130)
        p.dark(rectangle(-.04, -.62, .04, .86), level=160)


@kind("hat")
def hat(p, r):
    top = r.uniform(.5, .6)
    p.body(ellipse(0, .62, 1, .32), polygon(-top, -.9, top, -.9, top * 1.04, .62, -top * 1.04, .62), ellipse(0, -.88, top, .11))
    p.accent(polygon(-top * 1.03, .1, top * 1.03, .1, top * 1.04, .5, -top * 1.04, .5), ellipse(0, .5, top * 1.04, .1, 0, 180))


@kind("shirt")
def shirt(p, r):
    p.body(polygon(-.4, -.85, .4, -.85, 1, -.4, .74, .06, .52, -.12, .54, .9, -.54, .9, -.52, -.12, -.74, .06, -1, -.4))
    p.cut(ellipse(0, -.87, .22, .18))
    style = r.integers(3)
    if style == 0:
        p.accent(rectangle(-.53, .15, .53, .45))
    elif style == 1:
        p.dark(rectangle(-.02, -.68, .02, .9), level=140)
        p.light(*(ellipse(.08, y, .05) for y in (-.4, 0, .4)))
    else:
        p.accent(polygon(1, -.4, .74, .06, .64, -.02, .88, -.48), polygon(-1, -.4, -.74, .06, -.64, -.02, -.88, -.48))


@kind("lock")
def lock(p, r):
    p.light(ellipse(0, -.3, .6, .68), level=120)
    p.cut(ellipse(0, -.26, .31, .4))
    p.body(rounded(-.85, -.2, .85, 1, .16))
    p.dark(ellipse(0, .3, .18), polygon(-.09, .35, .09, .35, .15, .75, -.15, .75), level=240)


@kind("balloon")
def balloon(p, r):
    p.body(smooth(0, -1, .5, -.85, .72, -.35, .55, .2, .1, .62, -.1, .62, -.55, .2, -.72, -.35, -.5, -.85), polygon(0, .55, .18, .8, -.18, .8))
    p.dark(*band((0, .78, .12, .88, .02, 1), .07), level=200)
    p.light(turned(ellipse(-.32, -.5, .1, .24), 25, -.32, -.5), level=220)


@kind("kite")
def kite(p, r):
    m = r.uniform(-.45, -.25)
    p.body(polygon(0, -1, .72, m, 0, .55, -.72, m))
    p.accent(polygon(0, -1, .72, m, 0, m), polygon(0, .55, -.72, m, 0, m))
    p.dark(*band((0, .5, .15, .65, -.05, .8, .08, .97), .08), level=190)
    p.body(*(turned(polygon(-.24, -.11, .24, .11, .24, -.11, -.24, .11), a, x, y) for x, y, a in ((.1, .68, 20), (0, .86, -20))))


@kind("guitar")
def guitar(p, r):
    p.dark(rectangle(-.13, -.9, .13, .1), level=150)
    p.accent(rounded(-.22, -1, .22, -.72, .06))
    p.body(smooth(0, -.28, .42, -.2, .46, .08, .4, .24, .66, .5, .6, .86, 0, 1, -.6, .86, -.66, .5, -.4, .24, -.46, .08, -.42, -.2))
    p.dark(ellipse(0, .3, .2), level=240)
    p.accent(rectangle(-.26, .66, .26, .76), dark=100)
    p.light(rectangle(-.06, -.7, -.02, .7), rectangle(.02, -.7, .06, .7), level=150)
