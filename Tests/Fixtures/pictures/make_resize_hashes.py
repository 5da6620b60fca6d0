"""Writes resize.json: XXH3-64 of what Pillow's bilinear resize makes of a computed picture, for many sizes.

    pip install pillow==11.3.0 numpy xxhash && python make_resize_hashes.py > resize.json

Pillow 13 takes the vertical pass first for some strongly distorting sizes (three of these) and then rounds differently;
FC-CLIP's time, and Pillow up to 11, always takes the horizontal pass first.

The picture: byte i of the H x W x 3 array is (i * 2654435761 mod 2^32) >> 24, stretched and saturated (see `pattern`),
so that rounding, clipping and every tap matter.
"""

import json

import numpy as np
import PIL
import xxhash
from PIL import Image

SIZES = [  # (height, width) -> (height, width)
    ((1, 1), (1, 1)),
    ((1, 1), (7, 5)),
    ((1, 1), (800, 800)),
    ((2, 2), (3, 3)),
    ((3, 2), (2, 3)),
    ((5, 7), (1, 1)),
    ((7, 5), (5, 7)),
    ((16, 16), (32, 32)),
    ((32, 32), (16, 16)),
    ((31, 33), (32, 32)),
    ((33, 31), (33, 62)),
    ((33, 31), (66, 31)),
    ((64, 48), (64, 48)),
    ((64, 48), (63, 47)),
    ((64, 48), (65, 49)),
    ((97, 161), (128, 212)),
    ((100, 100), (10, 90)),
    ((100, 100), (90, 10)),
    ((120, 160), (800, 1067)),
    ((240, 320), (512, 683)),
    ((480, 640), (512, 683)),
    ((480, 640), (800, 1067)),
    ((720, 1280), (512, 910)),
    ((1080, 1920), (512, 910)),
    ((1080, 1920), (750, 1333)),
    ((1000, 999), (333, 334)),
    ((999, 1000), (500, 500)),
    ((3, 20000), (1, 1333)),
    ((20000, 3), (1333, 1)),
    ((1, 5000), (1, 100)),
    ((5000, 1), (100, 1)),
    ((1, 100), (40, 100)),
    ((100, 1), (100, 40)),
    ((300, 420), (256, 358)),
    ((300, 420), (160, 224)),
    ((2000, 1500), (64, 48)),
]


def pattern(height: int, width: int) -> np.ndarray:
    i = np.arange(height * width * 3, dtype=np.uint64)
    value = ((i * 2654435761) % (1 << 32) >> 24).astype(np.int64)
    return np.clip((value - 128) * 2 + 128, 0, 255).astype(np.uint8).reshape(height, width, 3)


cases = []
for (h, w), (nh, nw) in SIZES:
    resized = np.asarray(Image.fromarray(pattern(h, w)).resize((nw, nh), Image.BILINEAR))
    cases.append(
        {"from": [h, w], "to": [nh, nw], "hash": xxhash.xxh3_64_hexdigest(np.ascontiguousarray(resized).tobytes())}
    )
print(json.dumps({"pillow": PIL.__version__, "cases": cases}).replace('{"from', '\n{"from'))
