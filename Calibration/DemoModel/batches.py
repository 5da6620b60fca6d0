"""Batches by number: batch i of a stage is always the same, so that training can stop and resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from Scenes.scene import Scene

from .augment import VOID
from .tokenizer import Tokenizer
from .world import World

Batch = dict[str, Tensor]
Draw = Callable[[tuple[int, ...]], Scene]  # the same key gives the same scene; ids VOID are pixels of no segment
LEAST_CELLS = 0.2  # smallest region to learn from, in cells of stride 32
LEAST_PIXELS = 6  # smallest segment to learn from, in pixels of stride 4


def tensors(arrays: dict[str, list]) -> Batch:
    return {k: torch.from_numpy(np.stack(v)) for k, v in arrays.items()}


@dataclass
class Texts(Dataset):
    """ids (T, L); claims (T, width of the world): captions of imagined regions and pictures."""

    world: World
    tokenizer: Tokenizer
    seed: int
    size: int

    def __getitem__(self, number: int) -> Batch:
        r = np.random.default_rng((self.seed, number))
        texts = [self.world.imagined(r) for _ in range(self.size)]
        return tensors({"claims": [t[1] for t in texts]}) | {"ids": torch.tensor(self.tokenizer([t[0] for t in texts]))}


def cells(ids: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Fractions of stride-32 cells that each segment covers (count, h*w), and the 0/1 mask that inference pools with.

    Inference resizes quarter-size mask logits bilinearly, which looks at the middle 8x8 pixels of a cell.
    """
    h, w = (n // 32 for n in ids.shape)
    on = (ids[None] == np.arange(count)[:, None, None]).reshape(count, h, 32, w, 32)
    whole, middle = on.mean((2, 4)), on[:, :, 12:20, :, 12:20].mean((2, 4)) > 0.5
    return whole.reshape(count, -1).astype(np.float32), middle.reshape(count, -1).astype(np.float32)


def regions(scenes: list[Scene], r: np.random.Generator) -> tuple[dict[str, list], list]:
    """owner (R,), weights (R, cells), category (R,) of the segments that are large enough, and these segments."""
    out, chosen = {"owner": [], "weights": [], "category": []}, []
    for b, scene in enumerate(scenes):
        for segment, share, hard in zip(scene.segments, *cells(scene.ids, len(scene.segments))):
            if share.sum() < LEAST_CELLS:
                continue
            w = hard if hard.any() and r.random() < 0.75 else share
            for name, value in (("owner", b), ("weights", w / w.sum()), ("category", segment.category)):
                out[name].append(value)
            chosen.append(segment)
    return out, chosen


@dataclass
class Regions(Dataset):
    """Pictures of all classes with captions, for CLIP.

    pictures uint8 (B, n, n, 3); owner (R,): the picture of each region; weights (R, cells), rows sum to 1;
    category (R,); ids, claims, attributes: captions of the R regions, then of the B pictures.
    """

    world: World
    tokenizer: Tokenizer
    seed: int
    size: int
    draw: Draw

    def __getitem__(self, number: int) -> Batch:
        r = np.random.default_rng((self.seed, number))
        scenes = [self.draw((self.seed, number, b)) for b in range(self.size)]
        arrays, chosen = regions(scenes, r)
        texts = [self.world.caption([s], r) for s in chosen] + [self.world.caption(s.segments, r) for s in scenes]
        arrays |= {
            "pictures": [s.picture for s in scenes],
            "claims": [t[1] for t in texts],
            "attributes": [self.world.attributes(s) for s in [[s] for s in chosen] + [s.segments for s in scenes]],
        }
        return tensors(arrays) | {"ids": torch.tensor(self.tokenizer([t[0] for t in texts]))}


@dataclass
class Captions(Dataset):
    """Whole pictures with captions and nothing else: `size` scenes, twice as many close-ups.

    scenes uint8 (B, n, n, 3); close_ups uint8 (2B, m, m, 3);
    ids, claims, attributes: captions of the scenes, then of the close-ups.
    """

    world: World
    tokenizer: Tokenizer
    seed: int
    size: int
    draw: Draw
    draw_near: Draw

    def __getitem__(self, number: int) -> Batch:
        r = np.random.default_rng((self.seed, number))
        scenes = [self.draw((self.seed, number, b)) for b in range(self.size)]
        near = [self.draw_near((self.seed, number, self.size + b)) for b in range(2 * self.size)]
        texts = [self.world.caption(s.segments, r) for s in scenes + near]
        arrays = {
            "scenes": [s.picture for s in scenes],
            "close_ups": [s.picture for s in near],
            "claims": [t[1] for t in texts],
            "attributes": [self.world.attributes(s.segments) for s in scenes + near],
        }
        return tensors(arrays) | {"ids": torch.tensor(self.tokenizer([t[0] for t in texts]))}


def quarters(on: np.ndarray) -> np.ndarray:
    """Pixels of each 4x4 cell that are on, 0..16, (h/4 * w/4,)."""
    h, w = on.shape
    return on.reshape(h // 4, 4, w // 4, 4).sum((1, 3), dtype=np.uint8).ravel()


@dataclass
class Panoptic(Dataset):
    """Pictures of seen classes, for the segmentation head; with_regions: also `Regions`' owner, weights, category.

    pictures uint8 (B, n, n, 3); masks uint8 (B, T, n/4 * n/4): 0..16 pixels of each segment; known likewise
    (B, n/4 * n/4): pixels that belong to one; labels (B, T): index into the seen classes, -1 where a picture has fewer.
    """

    world: World
    seed: int
    size: int
    draw: Draw
    with_regions: bool = False

    def __getitem__(self, number: int) -> Batch:
        scenes = [self.draw((self.seed, number, b)) for b in range(self.size)]
        kept = []
        for scene in scenes:
            masks = [quarters(scene.ids == k) for k in range(len(scene.segments))]
            large = [k for k, mask in enumerate(masks) if mask.sum() > 16 * LEAST_PIXELS]
            kept.append([(masks[k], self.world.seen.index(scene.segments[k].category)) for k in large])
        most = max(1, *map(len, kept))
        nothing = (np.zeros(scenes[0].ids.size // 16, np.uint8), -1)
        kept = [segments + [nothing] * (most - len(segments)) for segments in kept]
        arrays = {
            "pictures": [s.picture for s in scenes],
            "masks": [np.stack([mask for mask, _ in segments]) for segments in kept],
            "labels": [np.array([label for _, label in segments]) for segments in kept],
            "known": [quarters(s.ids != VOID) for s in scenes],
        }
        if self.with_regions:
            arrays |= regions(scenes, np.random.default_rng((self.seed, number)))[0]
        return tensors(arrays)


def stream(data: Dataset, first: int, last: int, workers: int, pinned: bool) -> Iterator[Batch]:
    """Batches first, ..., last - 1 in order, made ahead by worker processes."""
    ahead = {"num_workers": workers, "prefetch_factor": 4 if workers else None, "pin_memory": pinned}
    return iter(DataLoader(data, batch_size=None, sampler=range(first, last), **ahead))
