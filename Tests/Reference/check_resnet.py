"""Compares fcclip.py's ResNets with open_clip's CLIP, on random weights.

python check_resnet.py tiny_rn rn50 rn50x4 ...

Compared are the stem, the four maps, attention pooling under masks, CLIP's own pooling and the text encoder. Masks are
given to PyTorch's multi-head attention as FC-CLIP does it. CLIP's own pooling has one key more: the mean of the map.
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor

from fcclip import FCCLIP, PRESETS, Config, merge_heads, split_heads, tokens
from random_checkpoint import make_random_checkpoint, photos, split


def open_clip_model(cfg: Config, clip: dict[str, Tensor]) -> CLIP:
    vision = {"layers": list(cfg.depths), "width": cfg.stem_dim, "image_size": 32 * cfg.pool_grid, "patch_size": None}
    text = {
        "context_length": 77,
        "vocab_size": cfg.text_tokens,
        "width": cfg.text_width,
        "heads": cfg.text_width // 64,
        "layers": cfg.text_layers,
    }
    model = CLIP(cfg.embed_dim, vision, text, quick_gelu=True).eval()
    missing, unexpected = model.load_state_dict(clip, strict=False)
    assert not unexpected and all(key.endswith("num_batches_tracked") for key in missing), (missing, unexpected)
    return model


def pooled(pool, dense: Tensor, blocked: Tensor | None) -> Tensor:
    """FC-CLIP's pooling with open_clip's parameters: dense (1, C, h, w), blocked (Q, h*w) -> (Q, E)."""
    _, c, h, w = dense.shape
    position = pool.positional_embedding
    grid = round((len(position) - 1) ** 0.5)
    places = F.interpolate(position[1:].t().reshape(1, c, grid, grid), size=(h, w), mode="bilinear")
    x = dense.flatten(2).permute(2, 0, 1)
    key = x + places.flatten(2).permute(2, 0, 1)
    query = (x.mean(0, keepdim=True) + position[:1, None]).expand(len(blocked), 1, c)
    result, _ = F.multi_head_attention_forward(
        query=query,
        key=key,
        value=key,
        embed_dim_to_check=c,
        num_heads=pool.num_heads,
        q_proj_weight=pool.q_proj.weight,
        k_proj_weight=pool.k_proj.weight,
        v_proj_weight=pool.v_proj.weight,
        in_proj_weight=None,
        in_proj_bias=torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0,
        out_proj_weight=pool.c_proj.weight,
        out_proj_bias=pool.c_proj.bias,
        use_separate_proj_weight=True,
        training=False,
        need_weights=False,
        attn_mask=blocked[None].expand(pool.num_heads, -1, -1),
    )
    return result[:, 0]


def own_pooling(region, dense: Tensor) -> Tensor:
    """CLIP's embedding of the whole picture with fcclip.py's parameters; the map is as large as the grid."""
    x = tokens(dense)
    keys = torch.cat([x.mean(0, keepdim=True), x]) + region.position
    q, k, v = (split_heads(f(t), region.heads) for f, t in ((region.q, keys[:1]), (region.k, keys), (region.v, keys)))
    return region.out(merge_heads((q * q.shape[-1] ** -0.5 @ k.transpose(1, 2)).softmax(-1) @ v))


@torch.no_grad()
def check(name: str) -> None:
    cfg = PRESETS[name]
    state = make_random_checkpoint(cfg, seed=1)
    ours = FCCLIP(cfg, with_text=True).load_upstream(state)
    theirs = open_clip_model(cfg, split(state)[1])
    side = 32 * cfg.pool_grid
    trunk = theirs.visual

    def compare(what: str, found: Tensor, expected: Tensor) -> None:
        error = ((found - expected).double().pow(2).mean() / expected.double().pow(2).mean()).sqrt()
        print(f"{name:8} {what:20} {tuple(expected.shape)!s:22} relative RMS {error:.1e}")
        assert error <= 2e-5

    assert Config.from_upstream(state) == cfg
    dense = None
    for height, width in ((side, side), (side + 32, 64)):
        image = FCCLIP.preprocess(photos(2, max(height, width), 1)[0, :height, :width])
        trace: dict[str, Tensor] = {}
        maps = ours.trunk(image, trace)
        dense = maps[-1] if dense is None else dense
        x = image
        for i in (1, 2, 3):
            layer = [getattr(trunk, f"{kind}{i}") for kind in ("conv", "bn", "act")]
            x = layer[2](layer[1](layer[0](x)))
        compare("stem", trace["stem"], x)
        x = trunk.avgpool(x)
        for i, found in enumerate(maps):
            x = getattr(trunk, f"layer{i + 1}")(x)
            compare(f"res{i + 2}", found, x)
        generator = torch.Generator().manual_seed(3)
        inside = (
            torch.rand(9, maps[-1][0, 0].numel(), generator=generator) < torch.linspace(0.15, 1, 9)[:, None]
        ).float()
        inside[:, 0], inside[-1] = 1, 1
        compare("masks pooled", ours.region(maps[-1], inside), pooled(trunk.attnpool, x, inside < 0.5))
        inside[0] = 0
        assert torch.equal(ours.region(maps[-1], inside)[0], ours.region.out.bias)
    compare("CLIP's own pooling", own_pooling(ours.region, dense), trunk.attnpool(dense))
    ids = torch.zeros(3, 77, dtype=torch.long)
    for row, length in enumerate((3, 20, 77)):
        ids[row, :length] = torch.randint(49406, (length,), generator=generator)
        ids[row, 0], ids[row, length - 1] = 49406, 49407
    compare("text encoder", torch.stack([ours.text(row) for row in ids]), theirs.encode_text(ids))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+", choices=[name for name, c in PRESETS.items() if c.trunk == "resnet"])
    for preset in parser.parse_args().presets:
        check(preset)
