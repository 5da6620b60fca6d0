"""The phases of training, in this order: CLIP's text tower; its image tower; its projection; the segmentation head.

A phase knows its parameters, its batches, its loss and how to judge itself; `session.py` runs it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from Scenes.captions import COLOUR_AT, PATTERN_AT, WIDTH
from Scenes.kinds import CLASSES, COLOURS, PATTERNS, SEEN, THINGS

from .batches import Batch, Captions, Panoptic, Regions, Texts, close_up
from .evaluate import judge_scenes
from .losses import contrast, set_loss
from .model import (
    FCCLIP,
    FIRST_SCALE,
    classifier,
    encode_texts,
    fresh,
    mask_decoder,
    normalised,
    pixel_decoder,
    region_embedding,
)
from .tokenizer import Tokenizer

PROBE_SEED = 90  # scenes that judge during training


@dataclass(frozen=True)
class Stage:
    """steps: optimiser steps; rate: peak learning rate; ends: fraction of it at the end;
    flat: fraction of the steps before it falls."""

    name: str
    phase: type[Phase]
    steps: int
    batch: int
    side: int
    rate: float
    ends: float = 0.0
    flat: float = 0.0
    warm: int = 50

    def learning_rate(self, step: int) -> float:
        part = max(0.0, (step / self.steps - self.flat) / (1 - self.flat))
        return (
            self.rate
            * min(1, (step + 1) / self.warm)
            * (self.ends + (1 - self.ends) * 0.5 * (1 + math.cos(math.pi * part)))
        )


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are faster than float32 ones.

    On processors without bfloat16 instructions they are ten times slower.
    """
    return device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()


class Phase:
    """trained: modules or parameters that learn; decay: weight decay of matrices."""

    decay = 0.05
    betas = (0.9, 0.98)

    def __init__(self, net: FCCLIP, tokenizer: Tokenizer, stage: Stage, device: torch.device) -> None:
        self.net, self.tokenizer, self.stage, self.device = net, tokenizer, stage, device

    def half(self) -> torch.autocast:
        """bfloat16 products where they are fast; forward passes run in it, losses do not."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bfloat16(self.device))

    def begin(self) -> None:
        """Called before step 0, not when a stopped run goes on behind it."""

    def parameters(self) -> list[nn.Parameter]: ...
    def batches(self) -> Dataset: ...
    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]: ...
    def judge(self) -> dict[str, float]:
        return {}


@cache
def element_table(width: int) -> Tensor:
    """The vector that each claim adds to a text (WIDTH, width): a direction for every kind, colour and pattern."""
    basis = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(1)))[0]
    kinds, colours, patterns = basis[: len(CLASSES)], basis[64 : 64 + len(COLOURS)], basis[80 : 80 + len(PATTERNS)]
    table = torch.zeros(WIDTH, width)
    table[: len(CLASSES)] = kinds
    table[COLOUR_AT:PATTERN_AT] = 0.55 * colours.repeat(len(THINGS), 1)
    table[PATTERN_AT:] = 0.4 * patterns.repeat(len(THINGS), 1)
    return table


class TextPhase(Phase):
    """Captions -> sums of orthogonal directions.

    Without it captions that share "a photo of a" collapse (cosine .92) and nothing is learnt.
    """

    def parameters(self):
        return list(self.net.text.parameters())

    def batches(self):
        return Texts(self.tokenizer, 1, self.stage.batch)

    def loss(self, batch):
        wanted = batch["claims"] @ element_table(self.net.cfg.embed_dim).to(self.device)
        with self.half():
            texts = encode_texts(self.net.text, batch["ids"]).float()
        away = (1 - F.cosine_similarity(texts, wanted)).mean()
        return away, {"away": away}

    def judge(self):
        rows = classifier(self.net.text, self.tokenizer, list(CLASSES))
        return {"nearest": float((rows @ rows.t()).fill_diagonal_(-1).max())}


class PicturePhase(Phase):
    """CLIP's image tower against the finished text tower.

    Regions (pooled as inference pools them) and whole pictures against their captions, and regions against the prompts
    of all names. An empty region must match no caption.
    """

    seed = 3

    def parameters(self):
        return [*self.net.trunk.parameters(), *self.net.region.parameters()]

    def batches(self):
        return Regions(self.tokenizer, self.seed, self.stage.batch, self.stage.side, (3, 7))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """-> embeddings of regions (R, E) and of pictures (B, E)."""
        with self.half():
            dense = self.net.trunk(normalised(batch["pictures"]))[-1].flatten(2)
        dense = dense.float()
        pooled = torch.einsum("rt,rct->rc", batch["weights"], dense[batch["owner"]])
        both = region_embedding(self.net.region, torch.cat([pooled, dense.mean(2)]))
        return both[: len(pooled)], both[len(pooled) :]

    def names(self) -> Tensor:
        if not hasattr(self, "rows"):  # the text tower no longer changes
            self.rows = classifier(self.net.text, self.tokenizer, list(CLASSES))
        return self.rows

    def loss(self, batch):
        regions, pictures = self.embed(batch)
        with torch.no_grad():
            texts = encode_texts(self.net.text, batch["ids"])
            fits = (batch["attributes"] @ batch["claims"].t() >= batch["claims"].sum(1) - 0.5).float()
        n, scale = len(regions), self.net.region.logit_scale.exp().clamp(max=100)
        local = contrast(regions, texts[:n], fits[:n, :n], scale)
        whole = contrast(pictures, texts[n:], fits[n:, n:], scale)
        scores = scale * F.normalize(regions, dim=-1) @ self.names().t()
        named = F.cross_entropy(scores, batch["category"])
        right = (scores.argmax(1) == batch["category"])[batch["category"] < len(THINGS)].float().mean()
        total = named + 0.5 * local + 0.2 * whole + 0.1 * self.said_of_nothing(scale)
        return total, {"named": named, "regions": local, "pictures": whole, "things right": right}

    def said_of_nothing(self, scale: Tensor) -> Tensor:
        """How far an empty region is from naming all classes alike."""
        nothing = region_embedding(self.net.region, torch.zeros(1, self.net.cfg.dims[-1], device=self.device))
        return -(scale.detach() * F.normalize(nothing, dim=-1) @ self.names().t()).log_softmax(1).mean() - math.log(
            len(CLASSES)
        )

    @torch.no_grad()
    def judge(self):
        """Share of regions of scenes, pooled by their true masks, whose nearest name is right."""
        right: dict[bool, list[Tensor]] = {True: [], False: []}
        data = Regions(self.tokenizer, PROBE_SEED, 12, 256)
        for i in range(8):
            batch = {k: v.to(self.device) for k, v in data[i].items()}
            hit = (self.embed(batch)[0] @ self.names().t()).argmax(1) == batch["category"]
            thing = batch["category"] < len(THINGS)
            for kind in right:
                right[kind].append(hit[thing == kind].float())
        return {
            "things": float(torch.cat(right[True]).mean()),
            "stuff": float(torch.cat(right[False]).mean()),
            "scale": float(self.net.region.logit_scale.exp()),
        }


class CloseUpPhase(PicturePhase):
    """Small pictures of one thing: more things a second than scenes have, at the same size in pixels."""

    seed = 2

    def batches(self):
        return Regions(self.tokenizer, self.seed, self.stage.batch, self.stage.side, **close_up(self.stage.side))


class CaptionPhase(PicturePhase):
    """CLIP's projection into the texts' space, trained anew on the finished trunk.

    It sees whole pictures and their captions only: its knowledge of regions is then CLIP's knowledge of pictures, as in
    the paper.
    """

    seed = 6

    def begin(self):
        torch.manual_seed(self.seed)
        fresh(self.net.region)
        self.net.region.logit_scale.data.fill_(FIRST_SCALE)

    def parameters(self):
        return list(self.net.region.parameters())

    def batches(self):
        return Captions(self.tokenizer, self.seed, self.stage.batch, self.stage.side)

    def loss(self, batch):
        with torch.no_grad():
            with self.half():
                maps = [self.net.trunk(normalised(batch[kind]))[-1] for kind in ("scenes", "close_ups")]
            texts = encode_texts(self.net.text, batch["ids"])
            fits = (batch["attributes"] @ batch["claims"].t() >= batch["claims"].sum(1) - 0.5).float()
        scale = self.net.region.logit_scale.exp().clamp(max=100)
        whole = contrast(
            region_embedding(self.net.region, torch.cat([m.float().mean((2, 3)) for m in maps])), texts, fits, scale
        )
        return whole + 0.1 * self.said_of_nothing(scale), {"pictures": whole}


class MaskPhase(Phase):
    """Pixel decoder, mask decoder and void embedding, on panoptic ground truth of the seen classes; CLIP is frozen."""

    seed = 4
    decay = 0.02
    betas = (0.9, 0.999)

    def parameters(self):
        return [*self.net.pixel.parameters(), *self.net.decoder.parameters(), self.net.void]

    def batches(self):
        return Panoptic(self.seed, self.stage.batch, self.stage.side)

    def names(self) -> Tensor:
        if not hasattr(self, "rows"):
            self.rows = classifier(self.net.text, self.tokenizer, list(SEEN))
        return self.rows

    def loss(self, batch):
        with self.half():
            with torch.no_grad():
                maps = self.net.trunk(normalised(batch["pictures"]))
            outputs = mask_decoder(self.net.decoder, *pixel_decoder(self.net.pixel, maps))
        rows = torch.cat([self.names(), F.normalize(self.net.void, dim=-1)])
        scale = self.net.decoder.logit_scale.exp().clamp(max=100)
        masks = batch["masks"].flatten(1).float() / 16
        parts = [set_loss(*o, rows, scale, masks, batch["labels"], batch["owner"]) for o in outputs]
        last = parts[-1][1]
        return torch.stack([p[0] for p in parts]).sum(), {"mask": last[0], "dice": last[1], "class": last[2]}

    def judge(self):
        return judge_scenes(self.net, self.tokenizer, PROBE_SEED, 32)


class SecondMaskPhase(MaskPhase):
    """The same on other scenes, from a high learning rate again.

    Masks are learnt in the first round, names in this one.
    """

    seed = 5
