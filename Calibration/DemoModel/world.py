"""A world: the classes that a model is trained for, the words for them, and annotated pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from Scenes.scene import Segment


class World(Protocol):
    """Classes are numbered from 0. A claim is what a text says of a picture; both have vectors of all claims."""

    names: list[list[str]]  # of each class: what it is called, then its synonyms
    things: list[bool]  # of each class
    seen: list[int]  # classes that the mask decoder is trained on

    def sentences(self) -> list[str]:
        """Texts that the tokenizer's merges are learnt from."""

    def directions(self, width: int) -> Tensor:
        """The vector that each claim adds to a text (claims, width)."""

    def imagined(self, r: np.random.Generator) -> tuple[str, np.ndarray]:
        """A text about a region or a picture that need not exist, and its claims, float32 of 0 and 1."""

    def caption(self, segments: Sequence[Segment], r: np.random.Generator) -> tuple[str, np.ndarray]:
        """A text that is true of the segments (one: of a region; more: of a picture), and its claims."""

    def attributes(self, segments: Sequence[Segment]) -> np.ndarray:
        """Every claim that is true of the segments."""
