"""Rewrites a checkpoint into one that computes the same in float32 but has channels far larger than the others.

python outliers.py checkpoint.pth outliers.pth [--factor 30] [--seed 5] [--kinds attention,values,norm,hidden]
python outliers.py checkpoint.pth massive.pth --kinds massive

A sixteenth of the channels is multiplied by the factor, and what reads them divided by it. Kinds:

attention  queries against keys, in the mask decoder
values     values against the output projection, in the mask decoder and in the deformable layers
norm       LayerNorm's weight and bias against the linear layer behind it, in ConvNeXt's blocks
hidden     ReLU's hidden units against the layer behind them, in both decoders

massive is another network: in every ConvNeXt block's MLP, a unit that almost never fires gets a weight of the factor to
one channel of the map, as trained networks have rare activations of a thousand times the others.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

PREDICTOR = "sem_seg_head.predictor."
ENCODER = "sem_seg_head.pixel_decoder.transformer.encoder.layers."
TRUNK = "backbone.clip_model.visual.trunk.stages."
EXACT = ("attention", "values", "norm", "hidden")


class Rewriter:
    def __init__(self, state: dict[str, Tensor], factor: float, seed: int):
        # In half precision the factors would not be exact.
        state.update({k: v.float() for k, v in state.items() if v.is_floating_point()})
        self.state, self.factor = state, factor
        self.generator = torch.Generator().manual_seed(seed)

    def factors(self, width: int) -> Tensor:
        f = torch.ones(width)
        f[torch.randperm(width, generator=self.generator)[: max(width // 16, 1)]] = self.factor
        return f

    def scale_rows(self, key: str, f: Tensor, rows: slice = slice(None)) -> None:
        """Multiplies a layer's results, or those of some of its rows, by f."""
        self.state[key + "weight"][rows] *= f[:, None]
        self.state[key + "bias"][rows] *= f

    def divide_columns(self, key: str, f: Tensor) -> None:
        """Divides what a layer makes of its inputs by f."""
        self.state[key] /= f[None, :]

    def packed(self, kinds: set[str]) -> int:
        count = 0
        for key in [k for k in self.state if k.startswith(PREDICTOR) and k.endswith("in_proj_weight")]:
            prefix = key[: -len("in_proj_weight")]
            width = self.state[key].shape[1]
            query, key_rows, value = (slice(i * width, (i + 1) * width) for i in range(3))
            f, v = self.factors(width), self.factors(width)
            if "attention" in kinds:
                self.scale_rows(prefix + "in_proj_", f, query)
                self.scale_rows(prefix + "in_proj_", 1 / f, key_rows)
            if "values" in kinds:
                self.scale_rows(prefix + "in_proj_", v, value)
                self.divide_columns(prefix + "out_proj.weight", v)
            count += 1
        return count

    def pairs(self, first: str, second: str, begin: str) -> int:
        """Layers `first` whose results only ReLU, or nothing, separates from layers `second`."""
        keys = [
            k[: -len(first + ".weight")] for k in self.state if k.startswith(begin) and k.endswith(first + ".weight")
        ]
        for prefix in keys:
            f = self.factors(self.state[prefix + first + ".bias"].shape[0])
            if self.state[prefix + first + ".weight"].ndim == 1:
                self.state[prefix + first + ".weight"] *= f
                self.state[prefix + first + ".bias"] *= f
            else:
                self.scale_rows(prefix + first + ".", f)
            self.divide_columns(prefix + second + ".weight", f)
        return len(keys)

    def massive(self) -> int:
        """Hidden units that fire far from the mean only, with a weight of the factor to one channel."""
        blocks = [
            k[: -len("mlp.fc1.weight")] for k in self.state if k.startswith(TRUNK) and k.endswith("mlp.fc1.weight")
        ]
        for block in blocks:
            weight = self.state[block + "mlp.fc1.weight"]
            unit = int(torch.randint(weight.shape[0], (1,), generator=self.generator))
            channel = int(torch.randint(weight.shape[1], (1,), generator=self.generator))
            # LayerNorm's results have length sqrt(width): the product with a row has the row's length for a deviation.
            reach = float((weight[unit] * self.state[block + "norm.weight"]).norm())
            self.state[block + "mlp.fc1.bias"][unit] = -4 * reach
            self.state[block + "mlp.fc2.weight"][channel, unit] = self.factor
        return len(blocks)


def rewrite(state: dict[str, Tensor], kinds: set[str], factor: float, seed: int) -> int:
    """Rewrites `state` in place and returns how many layers were."""
    rewriter = Rewriter(state, factor, seed)
    count = rewriter.packed(kinds) if kinds & {"attention", "values"} else 0
    if "values" in kinds:
        count += rewriter.pairs("self_attn.value_proj", "self_attn.output_proj", ENCODER)
    if "norm" in kinds:
        count += rewriter.pairs("norm", "mlp.fc1", TRUNK)
    if "hidden" in kinds:
        count += rewriter.pairs("linear1", "linear2", ENCODER) + rewriter.pairs("linear1", "linear2", PREDICTOR)
    if "massive" in kinds:
        count += rewriter.massive()
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--factor", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--kinds", default=",".join(EXACT))
    options = parser.parse_args()
    kinds = set(options.kinds.split(","))
    if unknown := kinds - {*EXACT, "massive"}:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}")
    checkpoint = torch.load(options.source, map_location="cpu", weights_only=True)
    print(rewrite(checkpoint["model"], kinds, options.factor, options.seed), "layers rewritten")
    torch.save(checkpoint, options.target)
