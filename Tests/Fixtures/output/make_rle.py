"""Writes rle.json: masks and what pycocotools makes of them.

    pip install pycocotools numpy && python make_rle.py > rle.json

A mask is the union of rectangles [x, y, width, height] in a picture of `size` [height, width].
"""

import json
import random

import numpy as np
from pycocotools import mask

random.seed(7)
CASES = [
    ([1, 1], []),
    ([1, 1], [[0, 0, 1, 1]]),
    ([5, 7], []),
    ([5, 7], [[0, 0, 7, 5]]),
    ([5, 7], [[0, 0, 1, 1]]),
    ([5, 7], [[6, 4, 1, 1]]),
    ([5, 7], [[2, 0, 3, 5]]),
    ([5, 7], [[0, 2, 7, 1]]),
    ([5, 7], [[1, 3, 4, 2]]),
    ([5, 7], [[1, 0, 4, 2]]),
    ([5, 7], [[0, 0, 1, 5], [6, 0, 1, 5]]),
    ([1, 20000], [[5, 0, 19000, 1]]),
    ([20000, 1], [[0, 0, 1, 19999]]),
    ([1500, 2000], []),
    ([1500, 2000], [[0, 0, 2000, 1500]]),
    ([1500, 2000], [[100, 1, 1800, 1499]]),
    ([1500, 2000], [[0, 0, 1999, 1500]]),
    ([600, 800], [[400, 0, 1, 600], [10, 20, 3, 4]]),
] + [
    (
        [40, 60],
        [[random.randrange(50), random.randrange(30), random.randint(1, 10), random.randint(1, 10)] for _ in range(n)],
    )
    for n in (2, 5, 9, 14, 30)
]
out = []
for size, rectangles in CASES:
    m = np.zeros(size, np.uint8, order="F")
    for x, y, w, h in rectangles:
        m[y : y + h, x : x + w] = 1
    out.append({"size": size, "rectangles": rectangles, "counts": mask.encode(m)["counts"].decode()})
print("[" + ",\n".join(json.dumps(item) for item in out) + "]")
