"""The world of the demo: the drawn scenes of `../Scenes`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from Scenes import captions
from Scenes.captions import COLOUR_AT, PATTERN_AT, WIDTH
from Scenes.kinds import CLASSES, COLOURS, PATTERNS, SEEN, SEEN_STUFF, SEEN_THINGS, THINGS, names
from Scenes.scene import Segment, compose

from .batches import Draw
from .tokenizer import texts_to_learn_from
from .world import World


def random_segment(r: np.random.Generator) -> Segment:
    category = int(r.integers(len(CLASSES)))
    return (
        Segment(category, int(r.integers(len(COLOURS))), int(r.integers(len(PATTERNS))))
        if category < len(THINGS)
        else Segment(category)
    )


class Drawn(World):
    """Claims: kinds, and colours and patterns of things."""

    names = [names(c) for c in CLASSES]
    things = [c in THINGS for c in CLASSES]
    seen = [CLASSES.index(c) for c in SEEN]

    def sentences(self) -> list[str]:
        return texts_to_learn_from()

    def directions(self, width: int) -> Tensor:
        """An orthogonal direction for every kind, colour and pattern."""
        basis = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(1)))[0]
        kinds, colours, patterns = basis[: len(CLASSES)], basis[64 : 64 + len(COLOURS)], basis[80 : 80 + len(PATTERNS)]
        table = torch.zeros(WIDTH, width)
        table[: len(CLASSES)] = kinds
        table[COLOUR_AT:PATTERN_AT] = 0.55 * colours.repeat(len(THINGS), 1)
        table[PATTERN_AT:] = 0.4 * patterns.repeat(len(THINGS), 1)
        return table

    def imagined(self, r: np.random.Generator) -> tuple[str, np.ndarray]:
        segments = [random_segment(r) for _ in range(r.integers(2, 5))]
        return captions.picture_caption(segments, r) if r.random() < 0.3 else captions.caption(segments[0], r)

    def caption(self, segments: Sequence[Segment], r: np.random.Generator) -> tuple[str, np.ndarray]:
        if len(segments) == 1:
            return captions.caption(segments[0], r, 0.4, 0.3)
        return captions.picture_caption(segments, r)

    def attributes(self, segments: Sequence[Segment]) -> np.ndarray:
        return captions.attributes(segments)

    # ---- pictures
    def scenes(self, side: int) -> Draw:
        return partial(compose, side=side)

    def full_scenes(self, side: int) -> Draw:
        """More things, for more regions a picture."""
        return partial(compose, side=side, count=(3, 7))

    def close_ups(self, side: int) -> Draw:
        """Small pictures of one thing that nearly fills them."""
        return partial(compose, side=side, count=(1, 1), sizes=(0.7 * side, 1.02 * side))

    def seen_scenes(self, side: int) -> Draw:
        """Only classes that the mask decoder is trained on."""
        return partial(compose, side=side, things=SEEN_THINGS, stuff=SEEN_STUFF, count=(1, 5))
