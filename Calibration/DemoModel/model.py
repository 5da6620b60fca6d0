"""The demo's network: the modules of Tests/Reference/fcclip.py, with forward passes over batches for training.

Shape letters: B pictures, R regions, Q queries, T texts or targets, d hidden width, E embedding width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcclip import (
    FCCLIP,
    LEVELS,
    PIXEL_MEAN,
    PIXEL_STD,
    Config,
    DeformableAttention,
    MaskDecoder,
    MultiHead,
    PixelDecoder,
    TextTower,
    pixel_centres,
    sine_position,
)
from Scenes.captions import PROMPTS

from .tokenizer import Tokenizer

CONFIG = Config(
    depths=(2, 2, 4, 2),
    dims=(32, 64, 160, 320),
    stem_dim=32,
    embed_dim=128,
    region_hidden=320,
    hidden=96,
    heads=8,
    points=4,
    enc_layers=2,
    enc_ffn=256,
    dec_layers=3,
    dec_ffn=256,
    queries=32,
    text_width=128,
    text_layers=2,
)  # but for text_tokens, which are the tokenizer's

FIRST_SCALE = math.log(20)  # of CLIP's cosines, before training


def fresh(part: nn.Module) -> None:
    """New weights for the layers of a part."""
    for module in part.modules():
        if isinstance(
            module, (nn.Linear, nn.Conv2d)
        ):  # fan-in: smaller weights leave deep blocks asleep for hundreds of steps
            nn.init.trunc_normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        if isinstance(module, MultiHead):
            nn.init.xavier_uniform_(module.w_in)
        if hasattr(module, "gamma"):
            nn.init.constant_(module.gamma, 0.5)


def build(config: Config) -> FCCLIP:
    """The whole network with fresh weights."""
    net = FCCLIP(config, with_text=True)
    fresh(net)
    net.region.logit_scale.data.fill_(FIRST_SCALE)
    for layer in net.pixel.layers:  # Deformable DETR: each head looks in a direction of its own
        attention = layer.attn
        nn.init.zeros_(attention.offset.weight)
        nn.init.zeros_(attention.weight.weight)
        angle = torch.arange(attention.h) * (2 * math.pi / attention.h)
        way = torch.stack([angle.cos(), angle.sin()], 1)
        way = (way / way.abs().amax(1, keepdim=True))[:, None, None]
        reach = torch.arange(1.0, attention.p + 1)[None, None, :, None]
        attention.offset.bias.data = (way * reach).expand(-1, LEVELS, -1, -1).flatten().clone()
    for table in (net.pixel.level, net.decoder.query, net.decoder.where, net.decoder.level, net.void):
        nn.init.normal_(table)
    nn.init.normal_(net.text.token, std=0.05)
    nn.init.normal_(net.text.place, std=0.02)
    nn.init.normal_(net.text.project, std=config.text_width**-0.5)
    net.decoder.logit_scale.data.fill_(math.log(14))
    return net


# ----------------------------------------------------------------------------------------- pictures and texts
def normalised(pictures: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W), channels last in memory."""
    mean, std = (torch.tensor(v, device=pictures.device) for v in (PIXEL_MEAN, PIXEL_STD))
    return ((pictures.float() - mean) / std).permute(0, 3, 1, 2)


def attend(
    m: MultiHead, q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None = None, causal: bool = False
) -> Tensor:
    """q (B, A, d), k and v (B, C, d), allowed (B, 1, A, C) bool -> (B, A, d)."""
    parts = [
        F.linear(x, w, b).unflatten(-1, (m.heads, -1)).transpose(1, 2)
        for x, w, b in zip((q, k, v), m.w_in.chunk(3), m.b_in.chunk(3))
    ]
    return m.out(F.scaled_dot_product_attention(*parts, allowed, is_causal=causal).transpose(1, 2).flatten(2))


def encode_texts(text: TextTower, ids: Tensor) -> Tensor:
    """Padded token rows (T, L) -> (T, E), not normalised. What follows the end token has no influence."""
    x = text.token[ids] + text.place[: ids.shape[1]]
    for block in text.blocks:
        y = block.norm1(x)
        x = x + attend(block.attn, y, y, y, causal=True)
        x = x + block.down(F.gelu(block.up(block.norm2(x))))
    return text.norm(x)[torch.arange(len(ids), device=ids.device), ids.argmax(1)] @ text.project


@torch.no_grad()
def classifier(text: TextTower, tokenizer: Tokenizer, names: list[str]) -> Tensor:
    """Unit rows (N, E): the mean over the original's 14 prompts."""
    ids = torch.tensor(tokenizer([p.format(n) for n in names for p in PROMPTS]), device=text.token.device)
    return FCCLIP.prompt_average(torch.cat([encode_texts(text, part).float() for part in ids.split(256)]))


def region_embedding(region: nn.Module, pooled: Tensor) -> Tensor:
    """Mean CLIP features (R, C) -> (R, E), not normalised."""
    return region.out(F.gelu(region.up(region.norm(pooled))))


# ------------------------------------------------------------------------------------------- segmentation head
def sample(m: DeformableAttention, x: Tensor, query: Tensor, centres: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
    """Deformable attention over a batch: x and query (B, S, d), centres (S, 2) -> (B, S, d)."""
    b, s, d = x.shape
    h, p = m.h, m.p
    value = m.value(x).transpose(1, 2).reshape(b * h, d // h, s)
    offset = (
        m.offset(query).float().view(b, s, h, LEVELS, p, 2).permute(3, 0, 2, 1, 4, 5).reshape(LEVELS, b * h, s, p, 2)
    )
    weight = m.weight(query).float().view(b, s, h, LEVELS * p).softmax(-1).view(b, s, h, LEVELS, p)
    weight = weight.permute(3, 0, 2, 1, 4).reshape(LEVELS, b * h, 1, s, p)
    parts = value.float().split([a * c for a, c in shapes], 2)
    total = torch.zeros((), device=x.device)
    for level, (hh, ww) in enumerate(shapes):
        grid = offset[level] * torch.tensor([2 / ww, 2 / hh], device=x.device) + (2 * centres - 1)[None, :, None]
        got = F.grid_sample(parts[level].unflatten(2, (hh, ww)), grid, align_corners=False)
        total = total + (got * weight[level]).sum(-1)
    return m.out(total.reshape(b, d, s).transpose(1, 2))


def pixel_decoder(m: PixelDecoder, maps: list[Tensor]) -> tuple[Tensor, list[Tensor], list[tuple[int, int]]]:
    """Trunk maps -> (mask features (B, d, H/4, W/4), tokens (B, S, d) of strides 32, 16, 8, their shapes)."""
    sources = [project(x) for project, x in zip(m.project, reversed(maps[1:]))]
    shapes, d, device = [tuple(s.shape[2:]) for s in sources], sources[0].shape[1], sources[0].device
    x = torch.cat([s.flatten(2).transpose(1, 2) for s in sources], 1)
    place = torch.cat([sine_position(*s, d).to(device) + m.level[i] for i, s in enumerate(shapes)])
    centres = torch.cat([pixel_centres(*s) for s in shapes]).to(device)
    for layer in m.layers:
        x = layer.norm1(x + sample(layer.attn, x, x + place, centres, shapes))
        x = layer.norm2(x + layer.ffn(x))
    levels = list(x.split([a * c for a, c in shapes], 1))
    lateral = m.lateral(maps[0])
    fine = levels[-1].transpose(1, 2).unflatten(2, shapes[-1])
    y = m.smooth(lateral + F.interpolate(fine, size=lateral.shape[2:], mode="bilinear")).relu()
    return m.mask_features(y), levels, shapes


def mask_decoder(
    m: MaskDecoder, features: Tensor, levels: list[Tensor], shapes: list[tuple[int, int]]
) -> list[tuple[Tensor, Tensor]]:
    """-> mask logits (B, Q, H/4, W/4) and class embeddings (B, Q, E) before every layer and after the last."""
    memory = [x + m.level[i] for i, x in enumerate(levels)]
    place = [sine_position(*s, features.shape[1]).to(features.device) for s in shapes]

    def predict(x: Tensor) -> tuple[Tensor, Tensor]:
        query = m.norm(x)
        logits = (m.mask_embed(query) @ features.flatten(2)).float()
        inside = (logits.detach() > 0).to(features.dtype)
        pooled = inside @ features.flatten(2).transpose(1, 2) / (inside.sum(2, keepdim=True) + 1e-8)
        return logits.unflatten(2, features.shape[2:]), m.class_embed(m.pool_proj(m.pool_norm(pooled)) + query).float()

    x, out = m.query[None].expand(len(features), -1, -1), []
    for i, layer in enumerate(m.layers):
        out.append(predict(x))
        j = i % LEVELS
        with torch.no_grad():
            blocked = F.interpolate(out[-1][0], size=shapes[j], mode="bilinear").flatten(2) < 0
            allowed = ~(blocked & ~blocked.all(2, keepdim=True))
        x = layer.norm1(x + attend(layer.cross, x + m.where, memory[j] + place[j], memory[j], allowed[:, None]))
        x = layer.norm2(x + attend(layer.own, x + m.where, x + m.where, x))
        x = layer.norm3(x + layer.ffn(x))
    return out + [predict(x)]
