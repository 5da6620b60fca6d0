"""A world of your own: annotated pictures in folders, in the forms that `quantize evaluate` reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from Scenes.captions import LOOSE, PROMPTS, prompt
from Scenes.scene import Scene, Segment

from . import augment
from .annotations import CocoPanoptic, LabelMaps, fail, image
from .augment import VOID
from .batches import Draw
from .model import FCCLIP, classifier, mask_decoder, normalised, pixel_decoder
from .tokenizer import Tokenizer
from .world import World

KEPT = 512  # decoded pictures that a process keeps


class Photographs(World):
    """Claims: classes. Every class is seen by the mask decoder.

    data: `LabelMaps` or `CocoPanoptic`; shortest_edge: as the network will be used, in pixels.
    """

    def __init__(self, data: LabelMaps | CocoPanoptic, shortest_edge: int) -> None:
        self.data, self.edge = data, shortest_edge
        self.names = [names for _, names, _ in data.classes]
        self.things = [thing for _, _, thing in data.classes]
        self.seen = list(range(len(self.names)))
        self.read_picture = lru_cache(KEPT)(self._read)
        pixels = np.zeros(len(self.names))
        self.having: list[list[int]] = [[] for _ in self.names]  # numbers of the pictures that have the class
        for number in range(len(data.pictures)):
            ids, segments = data.segments(number)
            for segment, area in zip(segments, np.bincount(ids.ravel(), minlength=256)):
                pixels[segment.category] += area
                self.having[segment.category].append(number)
        self.present = [c for c, having in enumerate(self.having) if having]
        if not self.present:
            raise fail(data.pictures[0].parent, "no annotated pixel has a class of the list")
        share = pixels / pixels.sum()
        self.pixel_weights = ((share + 0.01) ** -0.5).tolist()  # of the loss: rare classes' pixels weigh more

    @staticmethod
    def read(
        pictures: Path, maps: Path | None, panoptic: Path | None, classes: Path | None, endings: str, shortest_edge: int
    ) -> Photographs:
        if panoptic:
            return Photographs(CocoPanoptic(pictures, panoptic, maps, classes), shortest_edge)
        if not maps or not classes:
            raise SystemExit("no annotations: give --panoptic FILE.json, or --maps FOLDER and --classes NAMES")
        return Photographs(LabelMaps(pictures, maps, classes, endings), shortest_edge)

    def name_list(self) -> str:
        """The classes as `quantize vocab` reads them."""
        lines = []
        for identity, names, thing in self.data.classes:
            number = "" if identity is None else f"{identity}:"
            lines.append(f"{number}{','.join(names)}\t{'thing' if thing else 'stuff'}\n")
        return "".join(lines)

    # ---- words
    def sentences(self):
        names = [n for names in self.names for n in names]
        return [p.format(n) for p in (*PROMPTS, *LOOSE) for n in names] + [f"{n} and a {n}" for n in names]

    def directions(self, width: int) -> Tensor:
        """Orthogonal, as far as the width has room."""
        count = len(self.names)
        table = torch.randn(width, max(width, count), generator=torch.Generator().manual_seed(1))
        table = torch.linalg.qr(table)[0].t() if count <= width else table.t()
        return F.normalize(table[:count], dim=1)

    def say(self, classes: Sequence[int], r: np.random.Generator) -> tuple[str, np.ndarray]:
        words = [
            names[int(r.integers(len(names)))] if r.random() < 0.4 else names[0] for names in map(self.named, classes)
        ]
        return prompt(" and a ".join(words), r), self.claims(classes)

    def named(self, category: int) -> list[str]:
        return self.names[category]

    def claims(self, classes: Sequence[int]) -> np.ndarray:
        out = np.zeros(len(self.names), np.float32)
        out[list(classes)] = 1
        return out

    def imagined(self, r):
        return self.say(r.permutation(len(self.names))[: r.choice([1, 2, 3], p=[0.7, 0.2, 0.1])], r)

    def caption(self, segments, r):
        classes = sorted({s.category for s in segments})
        return self.say([classes[i] for i in r.permutation(len(classes))[: r.integers(1, 4)]], r)

    def attributes(self, segments):
        return self.claims([s.category for s in segments])

    # ---- pictures
    def _read(self, number: int) -> tuple[np.ndarray, np.ndarray, list[Segment]]:
        """-> picture uint8 (H, W, 3), ids uint8 (H, W), segments."""
        picture, (ids, segments) = image(self.data.pictures[number], "RGB"), self.data.segments(number)
        if picture.shape[:2] != ids.shape:
            size = " x ".join(map(str, reversed(ids.shape)))
            raise fail(self.data.maps[number], f"is of {size} pixels, unlike {self.data.pictures[number]}")
        return picture, ids, segments

    def view(self, r: np.random.Generator, side: int) -> Scene:
        """A random crop, half of the time at a pixel of a class that was chosen first: rare classes are seen often."""
        category = self.present[int(r.integers(len(self.present)))] if r.random() < 0.5 else None
        numbers = range(len(self.data.pictures)) if category is None else self.having[category]
        picture, ids, segments = self.read_picture(numbers[int(r.integers(len(numbers)))])
        wanted = [k for k, s in enumerate(segments) if s.category == category]
        spots = np.flatnonzero(np.isin(ids, wanted)) if wanted else ()
        spot = int(spots[int(r.integers(len(spots)))] if len(spots) else r.integers(ids.size))
        scale = self.edge / min(ids.shape) * np.exp(r.uniform(np.log(0.6), np.log(2)))
        return Scene(*augment.crop(picture, ids, divmod(spot, ids.shape[1]), scale, side, r), segments)

    def crop(self, key: tuple[int, ...], side: int) -> Scene:
        r = np.random.default_rng(key)
        while (scene := self.view(r, side)).ids.min() == VOID:  # nothing is annotated there
            pass
        if r.random() < 0.5:
            scene = augment.paste(self.view(r, side), scene, r)
        return self.compact(scene)

    def crops(self, side: int) -> Draw:
        return partial(self.crop, side=side)

    def compact(self, scene: Scene) -> Scene:
        """Without segments that have no pixel; in label maps, one segment a class."""
        categories = np.array([s.category for s in scene.segments] + [-1] * (256 - len(scene.segments)))
        if isinstance(self.data, LabelMaps):
            first = {c: k for k, c in reversed(list(enumerate(categories[: len(scene.segments)])))}
            same = np.array([first.get(c, VOID) for c in categories], np.uint8)
            scene.ids = same[scene.ids]
        kept = [k for k in np.unique(scene.ids).tolist() if k != VOID]
        place = np.full(256, VOID, np.uint8)
        place[kept] = np.arange(len(kept))
        return Scene(scene.picture, place[scene.ids], [scene.segments[k] for k in kept])

    # ---- judgement
    @torch.no_grad()
    def judge(self, net: FCCLIP, tokenizer: Tokenizer) -> dict[str, float]:
        """Mean IoU of the in-vocabulary branch's semantic maps, at a quarter of the network's input."""
        device = net.void.device
        rows = classifier(net.text, tokenizer, [n[0] for n in self.names])
        rows = torch.cat([rows, F.normalize(net.void, dim=-1)])
        scale, k = net.decoder.logit_scale.exp().clamp(max=100), len(self.names)
        table = torch.zeros(k, k, device=device)
        for number in range(len(self.data.pictures)):
            picture, ids, segments = self.read_picture(number)
            picture, ids = augment.whole(picture, ids, self.edge)
            maps = net.trunk(normalised(torch.from_numpy(picture)[None].to(device)))
            logits, embedding = mask_decoder(net.decoder, *pixel_decoder(net.pixel, maps))[-1]
            scores = (scale * F.normalize(embedding[0], dim=-1) @ rows.t()).softmax(-1)[:, :-1]
            found = (scores.t() @ logits[0].sigmoid().flatten(1)).argmax(0)
            categories = torch.tensor([s.category for s in segments] + [-1] * (256 - len(segments)), device=device)
            truth = categories[torch.from_numpy(ids[2::4, 2::4].astype(np.int64)).to(device)].flatten()
            table += torch.bincount((truth * k + found)[truth >= 0], minlength=k * k).view(k, k)
        both, union = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
        return {
            "mIoU": float(100 * (both / union)[union > 0].mean()),
            "accuracy": float(100 * both.sum() / table.sum()),
        }
