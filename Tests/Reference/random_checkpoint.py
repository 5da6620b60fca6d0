"""Random FC-CLIP checkpoint in the upstream key layout, with weights that make every stage non-trivial.

python random_checkpoint.py convnext_large out.pth [--seed 0] [--clip clip.safetensors]

With --clip the checkpoint is in two files, as FC-CLIP was released: out.pth has the head, clip.safetensors CLIP.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from fcclip import FCCLIP, LEVELS, PRESETS, Config, class_scores  # noqa: E402

VIS, CLIP = "backbone.clip_model.visual.", "backbone.clip_model."
PD, TD = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."
POSITIVE, VOID = 0.037, 0.5  # wanted fraction of positive mask logits unless given, and of void queries


def upstream_layout(c: Config) -> dict[str, tuple[int, ...]]:
    """Every upstream key with its shape."""
    s: dict[str, tuple[int, ...]] = {}

    def lin(k: str, i: int, o: int, bias: bool = True, *kernel: int) -> None:
        s[k + ".weight"] = (o, i, *kernel)
        if bias:
            s[k + ".bias"] = (o,)

    def norm(k: str, d: int, batch: bool = False) -> None:
        for n in ("weight", "bias") + (("running_mean", "running_var") if batch else ()):
            s[f"{k}.{n}"] = (d,)

    def mha(k: str, d: int) -> None:
        s[k + ".in_proj_weight"], s[k + ".in_proj_bias"] = (3 * d, d), (3 * d,)
        lin(k + ".out_proj", d, d)

    if c.trunk == "convnext":
        t = VIS + "trunk."
        lin(t + "stem.0", 3, c.dims[0], True, 4, 4)
        norm(t + "stem.1", c.dims[0])
        for i, (d, n) in enumerate(zip(c.dims, c.depths)):
            if i:
                norm(f"{t}stages.{i}.downsample.0", c.dims[i - 1])
                lin(f"{t}stages.{i}.downsample.1", c.dims[i - 1], d, True, 2, 2)
            for j in range(n):
                b = f"{t}stages.{i}.blocks.{j}."
                s[b + "gamma"] = (d,)
                lin(b + "conv_dw", 1, d, True, 7, 7)
                norm(b + "norm", d)
                lin(b + "mlp.fc1", d, 4 * d)
                lin(b + "mlp.fc2", 4 * d, d)
        norm(t + "head.norm", c.dims[3])
        if c.region_hidden:
            lin(VIS + "head.mlp.fc1", c.dims[3], c.region_hidden)
            lin(VIS + "head.mlp.fc2", c.region_hidden, c.embed_dim, False)
        else:
            lin(VIS + "head.proj", c.dims[3], c.embed_dim, False)
    else:
        w = c.stem_dim
        for i, (a, b) in enumerate(((3, w // 2), (w // 2, w // 2), (w // 2, w)), 1):
            lin(f"{VIS}conv{i}", a, b, False, 3, 3)
            norm(f"{VIS}bn{i}", b, True)
        cin = w
        for i, (d, n) in enumerate(zip(c.dims, c.depths), 1):
            for j in range(n):
                p, m = f"{VIS}layer{i}.{j}.", d // 4
                for k, (a, b, ks) in enumerate(((cin, m, 1), (m, m, 3), (m, d, 1)), 1):
                    lin(f"{p}conv{k}", a, b, False, ks, ks)
                    norm(f"{p}bn{k}", b, True)
                if j == 0:
                    lin(p + "downsample.0", cin, d, False, 1, 1)
                    norm(p + "downsample.1", d, True)
                cin = d
        a = VIS + "attnpool."
        s[a + "positional_embedding"] = (c.pool_grid**2 + 1, cin)
        for n in "qkv":
            lin(f"{a}{n}_proj", cin, cin)
        lin(a + "c_proj", cin, c.embed_dim)
    d = c.hidden
    for i, ch in enumerate(reversed(c.dims[1:])):
        lin(f"{PD}input_proj.{i}.0", ch, d, True, 1, 1)
        norm(f"{PD}input_proj.{i}.1", d)
    s[PD + "transformer.level_embed"] = (LEVELS, d)
    for i in range(c.enc_layers):
        e = f"{PD}transformer.encoder.layers.{i}."
        lin(e + "self_attn.sampling_offsets", d, c.heads * LEVELS * c.points * 2)
        lin(e + "self_attn.attention_weights", d, c.heads * LEVELS * c.points)
        lin(e + "self_attn.value_proj", d, d)
        lin(e + "self_attn.output_proj", d, d)
        norm(e + "norm1", d)
        lin(e + "linear1", d, c.enc_ffn)
        lin(e + "linear2", c.enc_ffn, d)
        norm(e + "norm2", d)
    lin(PD + "mask_features", d, d, True, 1, 1)
    lin(PD + "adapter_1", c.dims[0], d, False, 1, 1)
    norm(PD + "adapter_1.norm", d)
    lin(PD + "layer_1", d, d, False, 3, 3)
    norm(PD + "layer_1.norm", d)
    for i in range(c.dec_layers):
        mha(f"{TD}transformer_cross_attention_layers.{i}.multihead_attn", d)
        norm(f"{TD}transformer_cross_attention_layers.{i}.norm", d)
        mha(f"{TD}transformer_self_attention_layers.{i}.self_attn", d)
        norm(f"{TD}transformer_self_attention_layers.{i}.norm", d)
        lin(f"{TD}transformer_ffn_layers.{i}.linear1", d, c.dec_ffn)
        lin(f"{TD}transformer_ffn_layers.{i}.linear2", c.dec_ffn, d)
        norm(f"{TD}transformer_ffn_layers.{i}.norm", d)
    norm(TD + "decoder_norm", d)
    s[TD + "query_feat.weight"] = s[TD + "query_embed.weight"] = (c.queries, d)
    s[TD + "level_embed.weight"] = (LEVELS, d)
    norm(TD + "_mask_pooling_proj.0", d)
    lin(TD + "_mask_pooling_proj.1", d, d)
    for i in range(3):
        lin(f"{TD}mask_embed.layers.{i}", d, d)
        lin(f"{TD}class_embed.layers.{i}", d, c.embed_dim if i == 2 else d)
    s[TD + "logit_scale"] = s[CLIP + "logit_scale"] = ()
    s["void_embedding.weight"] = (1, c.embed_dim)
    w = c.text_width
    s[CLIP + "token_embedding.weight"], s[CLIP + "positional_embedding"] = (c.text_tokens, w), (77, w)
    for i in range(c.text_layers):
        b = f"{CLIP}transformer.resblocks.{i}."
        norm(b + "ln_1", w)
        mha(b + "attn", w)
        norm(b + "ln_2", w)
        lin(b + "mlp.c_fc", w, 4 * w)
        lin(b + "mlp.c_proj", 4 * w, w)
    norm(CLIP + "ln_final", w)
    s[CLIP + "text_projection"] = (w, c.embed_dim)
    return s


def ring_offsets(c: Config) -> Tensor:
    """Offset bias: head i looks in direction i of a square ring, point p at distance p + 1."""
    a = torch.arange(c.heads) * (2 * math.pi / c.heads)
    ring = torch.stack([a.cos(), a.sin()], 1)
    ring = (ring / ring.abs().amax(1, keepdim=True)).reshape(c.heads, 1, 1, 2)
    steps = torch.arange(1, c.points + 1).reshape(1, 1, -1, 1)
    return (ring * steps).expand(-1, LEVELS, -1, -1).reshape(-1).contiguous()


def photos(seed: int, size: int = 256, n: int = 2) -> Tensor:
    """Structured random images (n, size, size, 3), 0..255: smooth gradients with rectangles."""
    g = torch.Generator().manual_seed(seed)
    base = F.interpolate(torch.rand(n, 3, 5, 5, generator=g) * 255, size=(size, size), mode="bicubic")
    for i in range(n):
        for _ in range(14):
            y, x, h, w = (torch.rand(4, generator=g) * torch.tensor([size, size, size / 3, size / 3])).int().tolist()
            base[i, :, y : y + h + 4, x : x + w + 4] = torch.rand(3, 1, 1, generator=g) * 255
    return (base + torch.randn(base.shape, generator=g) * 6).clamp(0, 255).permute(0, 2, 3, 1)


def rounded(t: Tensor, bits: int) -> Tensor:
    """Values with so many significant bits."""
    mantissa, exponent = torch.frexp(t)
    return torch.ldexp((mantissa * 2**bits).round() / 2**bits, exponent)


@torch.no_grad()
def make_random_checkpoint(
    cfg: Config, seed: int = 0, significant_bits: int = 0, positive: float = POSITIVE
) -> dict[str, Tensor]:
    """With `significant_bits` most weights are rounded to so many, so that the file compresses well."""
    g = torch.Generator().manual_seed(seed)

    def normal(shape, std):
        return torch.randn(shape, generator=g) * std

    def uniform(shape, lo, hi):
        return torch.rand(shape, generator=g) * (hi - lo) + lo

    sd: dict[str, Tensor] = {}
    for k, shape in upstream_layout(cfg).items():
        last = k.rsplit(".", 1)[1] if "." in k else k
        if last == "gamma":
            t = uniform(shape, 0.2, 1.0)
        elif last == "logit_scale":
            t = torch.tensor(math.log(80.0 if k.startswith(TD) else 100.0))
        elif k.endswith("sampling_offsets.bias"):
            t = ring_offsets(cfg) + normal(shape, 0.2)
        elif last in ("running_mean", "running_var"):
            t = torch.zeros(shape) if last == "running_mean" else torch.ones(shape)
        elif len(shape) == 1:
            is_norm = k[: -len(last)] + "weight" in sd and sd[k[: -len(last)] + "weight"].ndim == 1
            t = uniform(shape, 0.7, 1.3) if last == "weight" else normal(shape, 0.1 if is_norm else 0.05)
            if k.endswith("bn3.weight") and ".layer" in k:
                t = uniform(shape, 0.3, 0.6)
                # Weaker branches in long stages, which otherwise enlarge rounding errors tenfold.
                t *= min(1, math.sqrt(3 / cfg.depths[int(k.split(".layer")[1][0]) - 1]))
        elif "query_" in k or "level_embed" in k:
            t = normal(shape, 1.0)
        elif "_embedding" in k:
            t = normal(
                shape,
                {"token": 0.25, "visual": shape[1] ** -0.5}.get(
                    "token" if "token" in k else "visual" if "visual" in k else "", 0.05
                ),
            )
        elif k == CLIP + "text_projection":
            t = normal(shape, shape[0] ** -0.5)
        else:
            fan = math.prod(shape[1:])
            gain = 1.0
            if "conv_dw" in k:
                gain = 0.15 * 7
            elif "sampling_offsets" in k:
                gain = 0.5
            elif "mask_embed" in k or "class_embed" in k:
                gain = math.sqrt(1.6)
            elif k.startswith(TD) and ("out_proj" in k or "linear2" in k or "_mask_pooling_proj" in k):
                gain = 0.5
            elif cfg.trunk == "resnet" and k.startswith(VIS) and len(shape) == 4:
                gain = math.sqrt(2)
            t = normal(shape, gain / math.sqrt(fan))
            if k.startswith(TD) and "in_proj" in k:
                t[: 2 * shape[1]] *= 2.5
        sd[k] = rounded(t, significant_bits) if significant_bits and len(shape) > 1 else t
    calibrate(sd, cfg, g, positive)
    return sd


def calibrate(sd: dict[str, Tensor], cfg: Config, g: torch.Generator, positive: float) -> None:
    """Batch-norm statistics, mask sparsity, centred embeddings and a useful void direction."""
    images = [FCCLIP.preprocess(p) for p in photos(int(torch.randint(1 << 30, (1,), generator=g)))]
    if cfg.trunk == "resnet":
        raw = {k: v for k, v in sd.items() if "bn" not in k and ".downsample.1." not in k}
        for k in [k for k in raw if k.startswith(VIS) and "attnpool" not in k]:
            raw[k[: -len("weight")] + "bias"] = torch.zeros(raw[k].shape[0])
        model = FCCLIP(cfg).load_upstream(raw)

        def measure(conv, _, y, bn: str):
            mean, var = y.mean((0, 2, 3)), y.var((0, 2, 3), unbiased=False)
            sd[bn + ".running_mean"], sd[bn + ".running_var"] = mean, var
            at = (slice(None), None, None)
            return (y - mean[at]) / (var[at] + 1e-5).sqrt() * sd[bn + ".weight"][at] + sd[bn + ".bias"][at]

        from functools import partial

        for i, conv in enumerate(model.trunk.stem, 1):
            conv.register_forward_hook(partial(measure, bn=f"{VIS}bn{i}"))
        for i, stage in enumerate(model.trunk.stages, 1):
            for j, block in enumerate(stage):
                for n in ("conv1", "conv2", "conv3", "skip"):
                    if getattr(block, n) is not None:
                        tail = "downsample.1" if n == "skip" else n.replace("conv", "bn")
                        getattr(block, n).register_forward_hook(partial(measure, bn=f"{VIS}layer{i}.{j}.{tail}"))
        model.trunk(torch.cat(images))
    classes = F.normalize(torch.randn(12, cfg.embed_dim, generator=g), dim=1)
    # channel 0 of the mask features is constant 1, so its weight is a shift of the mask logits
    sd[PD + "mask_features.weight"][0] = 0
    sd[PD + "mask_features.bias"][0] = 1
    w, b = sd[TD + "mask_embed.layers.2.weight"], sd[TD + "mask_embed.layers.2.bias"]
    w[0] *= 0.3
    model = FCCLIP(cfg).load_upstream(sd)
    stages = [model.pixel(m) + (m,) for m in (model.trunk(x) for x in images)]

    def run():
        model.load_upstream(sd)
        model.set_vocabulary(classes, [1] * len(classes), [0] * len(classes))
        out = []
        for features, levels, maps in stages:
            trace: dict[str, Tensor] = {}
            out.append((model.decode(maps, features, levels, trace), trace))
        return out

    for _ in range(2):
        logits = torch.cat([p.masks.flatten() for p, _ in run()])
        scale = 4.0 / float(logits.std())
        w *= scale
        b *= scale
        logits = torch.cat([p.masks.flatten() for p, _ in run()])
        b[0] -= float(logits[:: max(1, logits.numel() // 1000000)].quantile(1 - positive))
    last = f"dec.h{cfg.dec_layers}.class_embed"
    sd[TD + "class_embed.layers.2.bias"] -= torch.cat([t[last][0] for _, t in run()]).mean(0)
    traces = [t for _, t in run()]
    embed = torch.cat([t[last][0] for t in traces])
    pooled = torch.cat([t["clip.pooled"][0][t["valid"]] for t in traces])
    if cfg.trunk == "resnet":
        sd[VIS + "attnpool.c_proj.bias"] -= 0.8 * pooled.mean(0)
    target = F.normalize(F.normalize(embed[::3], dim=1).mean(0), dim=0)
    noise = F.normalize(torch.randn(cfg.embed_dim, generator=g), dim=0)
    lo, hi = 0.0, 1.0
    for _ in range(16):
        mix = (lo + hi) / 2
        void = F.normalize((1 - mix) * noise + mix * target, dim=0)
        rows = torch.cat([classes, void[None]])
        share = (class_scores(embed, rows, sd[TD + "logit_scale"], (1,) * 12).argmax(1) == 12).float().mean()
        lo, hi = (mix, hi) if share < VOID else (lo, mix)
    sd["void_embedding.weight"] = 3.0 * void[None]


def split(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The head, and CLIP under open_clip's names."""
    head = {k: v for k, v in state.items() if not k.startswith(CLIP)}
    return head, {k[len(CLIP) :]: v.contiguous() for k, v in state.items() if k.startswith(CLIP)}


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("config", choices=sorted(PRESETS))
    ap.add_argument("out")
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--clip", help="write CLIP to a file of its own")
    a = ap.parse_args()
    state = make_random_checkpoint(PRESETS[a.config], a.seed)
    if a.clip:
        from safetensors.torch import save_file

        state, clip = split(state)
        save_file(clip, a.clip)
        print(f"{a.clip}: {len(clip)} tensors, {sum(t.numel() for t in clip.values()) / 1e6:.1f} M values")
    torch.save({"model": state}, a.out)
    print(f"{a.out}: {len(state)} tensors, {sum(t.numel() for t in state.values()) / 1e6:.1f} M values")
