"""Batches by number: batch i of a stage is always the same, so that training can stop and resume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from Scenes.captions import attributes, caption, picture_caption
from Scenes.kinds import CLASSES, COLOURS, PATTERNS, SEEN, SEEN_STUFF, SEEN_THINGS, THINGS
from Scenes.scene import THING_SIZES, Segment, compose

from .tokenizer import Tokenizer

Batch = dict[str, Tensor]
LEAST_CELLS = 0.2  # smallest region to learn from, in cells of stride 32


def random_segment(r: np.random.Generator) -> Segment:
    category = int(r.integers(len(CLASSES)))
    return (
        Segment(category, int(r.integers(len(COLOURS))), int(r.integers(len(PATTERNS))))
        if category < len(THINGS)
        else Segment(category)
    )


@dataclass
class Texts(Dataset):
    """ids (T, L); claims (T, WIDTH): captions of imagined regions and scenes."""

    tokenizer: Tokenizer
    seed: int
    size: int

    def __getitem__(self, number: int) -> Batch:
        r = np.random.default_rng((self.seed, number))
        pairs = []
        for _ in range(self.size):
            segments = [random_segment(r) for _ in range(r.integers(2, 5))]
            pairs.append(picture_caption(segments, r) if r.random() < 0.3 else caption(segments[0], r))
        return {
            "ids": torch.tensor(self.tokenizer([p[0] for p in pairs])),
            "claims": torch.from_numpy(np.stack([p[1] for p in pairs])),
        }


def close_up(side: int) -> dict[str, tuple]:
    """What `compose` is told for pictures of one thing that nearly fills them."""
    return {"count": (1, 1), "sizes": (0.7 * side, 1.02 * side)}


def cells(ids: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Fractions of stride-32 cells that each segment covers (count, h*w), and the 0/1 mask that inference pools with.

    Inference resizes quarter-size mask logits bilinearly, which looks at the middle 8x8 pixels of a cell.
    """
    h, w = (n // 32 for n in ids.shape)
    on = (ids[None] == np.arange(count)[:, None, None]).reshape(count, h, 32, w, 32)
    whole, middle = on.mean((2, 4)), on[:, :, 12:20, :, 12:20].mean((2, 4)) > 0.5
    return whole.reshape(count, -1).astype(np.float32), middle.reshape(count, -1).astype(np.float32)


@dataclass
class Regions(Dataset):
    """Scenes of all classes with captions, for CLIP.

    pictures uint8 (B, n, n, 3); owner (R,): the picture of each region; weights (R, cells), rows sum to 1;
    category (R,); ids, claims, attributes: captions of the R regions, then of the B pictures.
    """

    tokenizer: Tokenizer
    seed: int
    size: int
    side: int
    count: tuple[int, int] = (2, 5)
    sizes: tuple[float, float] = THING_SIZES

    def __getitem__(self, number: int) -> Batch:
        r = np.random.default_rng((self.seed, number))
        pictures, owner, weights, category, texts, whole, true = [], [], [], [], [], [], []
        for b in range(self.size):
            scene = compose((self.seed, number, b), self.side, count=self.count, sizes=self.sizes)
            pictures.append(scene.picture)
            for segment, share, hard in zip(scene.segments, *cells(scene.ids, len(scene.segments))):
                if share.sum() < LEAST_CELLS:
                    continue
                w = hard if hard.any() and r.random() < 0.75 else share
                owner.append(b), weights.append(w / w.sum()), category.append(segment.category)
                texts.append(caption(segment, r, 0.4, 0.3)), true.append(attributes([segment]))
            whole.append((picture_caption(scene.segments, r), attributes(scene.segments)))
        texts, true = texts + [t for t, _ in whole], true + [a for _, a in whole]
        arrays = {
            "pictures": pictures,
            "owner": owner,
            "weights": weights,
            "category": category,
            "claims": [t[1] for t in texts],
            "attributes": true,
        }
        return {k: torch.from_numpy(np.stack(v)) for k, v in arrays.items()} | {
            "ids": torch.tensor(self.tokenizer([t[0] for t in texts]))
        }


@dataclass
class Captions(Dataset):
    """Whole pictures with captions and nothing else: `size` scenes, twice as many close-ups.

    scenes uint8 (B, n, n, 3); close_ups uint8 (2B, m, m, 3);
    ids, claims, attributes: captions of the scenes, then of the close-ups.
    """

    tokenizer: Tokenizer
    seed: int
    size: int
    side: int
    close_up_side: int = 96

    def __getitem__(self, number: int) -> Batch:
        r = np.random.default_rng((self.seed, number))
        scenes = [compose((self.seed, number, b), self.side) for b in range(self.size)]
        near = [
            compose((self.seed, number, self.size + b), self.close_up_side, **close_up(self.close_up_side))
            for b in range(2 * self.size)
        ]
        texts = [picture_caption(s.segments, r) for s in scenes + near]
        arrays = {
            "scenes": [s.picture for s in scenes],
            "close_ups": [s.picture for s in near],
            "claims": [t[1] for t in texts],
            "attributes": [attributes(s.segments) for s in scenes + near],
        }
        return {k: torch.from_numpy(np.stack(v)) for k, v in arrays.items()} | {
            "ids": torch.tensor(self.tokenizer([t[0] for t in texts]))
        }


@dataclass
class Panoptic(Dataset):
    """Scenes of seen classes only, for the segmentation head.

    pictures uint8 (B, n, n, 3); masks uint8 (T, n/4, n/4): 0..16 pixels of the segment;
    labels (T,): index into SEEN; owner (T,).
    """

    seed: int
    size: int
    side: int

    def __getitem__(self, number: int) -> Batch:
        pictures, owner, masks, labels, q = [], [], [], [], self.side // 4
        for b in range(self.size):
            scene = compose((self.seed, number, b), self.side, SEEN_THINGS, SEEN_STUFF, count=(1, 5))
            pictures.append(scene.picture)
            for k, segment in enumerate(scene.segments):
                mask = (scene.ids == k).reshape(q, 4, q, 4).sum((1, 3), dtype=np.uint8)
                if mask.sum() > 96:
                    owner.append(b), masks.append(mask), labels.append(SEEN.index(CLASSES[segment.category]))
        arrays = {"pictures": pictures, "owner": owner, "masks": masks, "labels": labels}
        return {k: torch.from_numpy(np.stack(v)) for k, v in arrays.items()}


def stream(data: Dataset, first: int, last: int, workers: int) -> Iterator[Batch]:
    """Batches first, ..., last - 1 in order, made ahead by worker processes."""
    sampler = range(first, last)
    return iter(
        DataLoader(data, batch_size=None, sampler=sampler, num_workers=workers, prefetch_factor=4 if workers else None)
    )
