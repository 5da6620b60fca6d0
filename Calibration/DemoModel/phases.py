"""The phases of training, in this order: CLIP's text tower; its image tower; its projection; the segmentation head.

A phase knows its parameters, its loss and how to judge itself; `plans.py` gives it its batches, `session.py` runs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from .batches import Batch
from .losses import contrast, pixel_loss, set_loss
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
from .world import World

PROBES = 8  # batches that judge during training
PIXEL_WEIGHT = 3.0
Judge = Callable[[FCCLIP, Tokenizer], dict[str, float]]


@dataclass(frozen=True)
class Stage:
    """batches: what it learns from; probe: other batches, which judge it; judge: figures of the whole network.

    steps: optimiser steps; rate: peak learning rate; ends: fraction of it at the end;
    flat: fraction of the steps before it falls; cost: time of a step in comparison with other stages'.
    """

    name: str
    phase: type[Phase]
    batches: Dataset
    steps: int
    rate: float
    ends: float = 0.0
    flat: float = 0.0
    warm: int = 50
    cost: float = 1.0
    probe: Dataset | None = None
    judge: Judge | None = None

    def learning_rate(self, step: int, progress: float) -> float:
        """progress: 0...1, of the stage."""
        part = max(0.0, (progress - self.flat) / (1 - self.flat))
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

    def __init__(self, net: FCCLIP, world: World, tokenizer: Tokenizer, stage: Stage, device: torch.device) -> None:
        self.net, self.world, self.tokenizer, self.stage, self.device = net, world, tokenizer, stage, device
        self.things = torch.tensor(world.things, device=device)

    def half(self) -> torch.autocast:
        """bfloat16 products where they are fast; forward passes run in it, losses do not."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bfloat16(self.device))

    def begin(self) -> None:
        """Called before step 0, not when a stopped run goes on behind it."""

    def parameters(self) -> list[nn.Parameter]: ...
    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]: ...
    def judge(self) -> dict[str, float]:
        return self.stage.judge(self.net, self.tokenizer) if self.stage.judge else {}

    def names(self) -> Tensor:
        """Rows of all classes' names, by the finished text tower."""
        if not hasattr(self, "rows"):
            self.rows = classifier(self.net.text, self.tokenizer, [n[0] for n in self.world.names])
        return self.rows


def pool(dense: Tensor, batch: Batch) -> Tensor:
    """Features (B, C, cells) -> their means over regions (R, C)."""
    return torch.einsum("rt,rct->rc", batch["weights"], dense[batch["owner"]])


class TextPhase(Phase):
    """Captions -> sums of orthogonal directions.

    Without it captions that share "a photo of a" collapse (cosine .92) and nothing is learnt.
    """

    def parameters(self):
        return list(self.net.text.parameters())

    def loss(self, batch):
        if not hasattr(self, "directions"):
            self.directions = self.world.directions(self.net.cfg.embed_dim).to(self.device)
        wanted = batch["claims"] @ self.directions
        with self.half():
            texts = encode_texts(self.net.text, batch["ids"]).float()
        away = (1 - F.cosine_similarity(texts, wanted)).mean()
        return away, {"away": away}

    def judge(self):
        rows = classifier(self.net.text, self.tokenizer, [n[0] for n in self.world.names])
        return {"nearest": float((rows @ rows.t()).fill_diagonal_(-1).max())}


class PicturePhase(Phase):
    """CLIP's image tower against the finished text tower.

    Regions (pooled as inference pools them) and whole pictures against their captions, and regions against the prompts
    of all names. An empty region must match no caption.
    """

    def parameters(self):
        return [*self.net.trunk.parameters(), *self.net.region.parameters()]

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """-> embeddings of regions (R, E) and of pictures (B, E)."""
        with self.half():
            dense = self.net.trunk(normalised(batch["pictures"]))[-1].flatten(2)
        dense = dense.float()
        both = region_embedding(self.net.region, torch.cat([pool(dense, batch), dense.mean(2)]))
        return both[: len(batch["owner"])], both[len(batch["owner"]) :]

    def loss(self, batch):
        embedded, pictures = self.embed(batch)
        with torch.no_grad():
            texts = encode_texts(self.net.text, batch["ids"])
            fits = (batch["attributes"] @ batch["claims"].t() >= batch["claims"].sum(1) - 0.5).float()
        n, scale = len(embedded), self.net.region.logit_scale.exp().clamp(max=100)
        local = contrast(embedded, texts[:n], fits[:n, :n], scale)
        whole = contrast(pictures, texts[n:], fits[n:, n:], scale)
        scores = scale * F.normalize(embedded, dim=-1) @ self.names().t()
        named = F.cross_entropy(scores, batch["category"])
        right = (scores.argmax(1) == batch["category"]).float().mean()
        total = named + 0.5 * local + 0.2 * whole + 0.1 * self.said_of_nothing(scale)
        return total, {"named": named, "regions": local, "pictures": whole, "right": right}

    def said_of_nothing(self, scale: Tensor) -> Tensor:
        """How far an empty region is from naming all classes alike."""
        nothing = region_embedding(self.net.region, torch.zeros(1, self.net.cfg.dims[-1], device=self.device))
        scores = scale.detach() * F.normalize(nothing, dim=-1) @ self.names().t()
        return -scores.log_softmax(1).mean() - math.log(scores.shape[1])

    @torch.no_grad()
    def judge(self):
        """Share of the probe's regions, pooled by their true masks, whose nearest name is right."""
        hits, things = [], []
        for i in range(PROBES):
            batch = {k: v.to(self.device) for k, v in self.stage.probe[i].items()}
            hits.append((self.embed(batch)[0] @ self.names().t()).argmax(1) == batch["category"])
            things.append(self.things[batch["category"]])
        hit, thing = torch.cat(hits).float(), torch.cat(things)
        groups = {"things": hit[thing], "stuff": hit[~thing]}
        return {name: float(group.mean()) for name, group in groups.items() if len(group)} | {
            "scale": float(self.net.region.logit_scale.exp())
        }


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

    decay = 0.02
    betas = (0.9, 0.999)

    def parameters(self):
        return [*self.net.pixel.parameters(), *self.net.decoder.parameters(), self.net.void]

    def loss(self, batch):
        with torch.no_grad(), self.half():
            maps = self.net.trunk(normalised(batch["pictures"]))
        return self.head_loss(batch, maps)

    def head_loss(
        self, batch: Batch, maps: list[Tensor], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The set loss at all depths; with weights of the classes' pixels (K,), also the loss of the semantic map."""
        with self.half():
            outputs = mask_decoder(self.net.decoder, *pixel_decoder(self.net.pixel, maps))
        rows = torch.cat([self.names()[self.world.seen], F.normalize(self.net.void, dim=-1)])
        scale, depths = self.net.decoder.logit_scale.exp().clamp(max=100), len(outputs)
        logits = torch.cat([logits for logits, _ in outputs]).flatten(2)
        scores = torch.cat([scale * F.normalize(e, dim=-1) @ rows.t() for _, e in outputs]).log_softmax(-1)
        masks, known = batch["masks"].float() / 16, batch["known"].float() / 16
        masks, known, labels = (torch.cat([x] * depths) for x in (masks, known, batch["labels"]))
        total, parts = set_loss(logits, scores, masks, known, labels)
        if weights is not None:
            parts["pixels"] = pixel_loss(logits, scores, masks, labels, weights)
            total = total + PIXEL_WEIGHT * parts["pixels"]
        return depths * total, parts


class JointPhase(MaskPhase):
    """The whole network but the text tower, where pictures are few and the trunk has seen no others.

    The regions go on teaching the trunk their names, and the semantic map is learnt with classes in balance.
    """

    decay = 0.05

    def parameters(self):
        return [*super().parameters(), *self.net.trunk.parameters(), *self.net.region.parameters()]

    def loss(self, batch):
        with self.half():
            maps = self.net.trunk(normalised(batch["pictures"]))
        weights = torch.tensor([self.world.pixel_weights[c] for c in self.world.seen], device=self.device)
        total, parts = self.head_loss(batch, maps, weights)
        embedded = region_embedding(self.net.region, pool(maps[-1].flatten(2).float(), batch))
        scale = self.net.region.logit_scale.exp().clamp(max=100)
        parts["named"] = F.cross_entropy(scale * F.normalize(embedded, dim=-1) @ self.names().t(), batch["category"])
        return total + parts["named"], parts
