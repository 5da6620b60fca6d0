"""Panoptic quality on held-out scenes, through the reference implementation: each branch alone and the ensemble.

python -m DemoModel.evaluate CHECKPOINT [--count 500]      (run in Calibration/)
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fcclip import Config, panoptic_map, resize
from Scenes.coco import HELD_OUT
from Scenes.kinds import CLASSES, SEEN, STUFF, THINGS, UNSEEN, names
from Scenes.scene import Scene, compose

from .model import FCCLIP, classifier
from .tokenizer import Tokenizer

BRANCHES = {
    "in-vocabulary": (0.0, 0.0),
    "out-of-vocabulary": (1.0, 1.0),
    "paper's shares": (0.4, 0.8),
    "ensemble": (0.4, 0.9),
}  # alpha, beta
GROUPS = {
    "all": CLASSES,
    "seen": SEEN,
    "unseen": UNSEEN,
    "things": THINGS,
    "stuff": STUFF,
    "unseen things": [c for c in UNSEEN if c in THINGS],
    "unseen stuff": [c for c in UNSEEN if c in STUFF],
}


class Quality:
    """Panoptic quality (Kirillov et al. 2019, eq. 1) for ground truth that labels every pixel."""

    def __init__(self) -> None:
        self.iou, self.true, self.extra, self.missed = (Counter() for _ in range(4))

    def add(self, truth: np.ndarray, categories: list[int], found: np.ndarray, labels: list[int]) -> None:
        """truth: ids 0.. into categories; found: ids 1.. into labels, 0 where nothing was found."""
        overlap = np.zeros((len(categories), len(labels) + 1), np.int64)
        np.add.at(overlap, (truth.ravel(), found.ravel()), 1)
        union = overlap.sum(1, keepdims=True) + overlap.sum(0) - overlap
        hit = [
            (t, f)
            for t, c in enumerate(categories)
            for f, k in enumerate(labels, 1)
            if c == k and 2 * overlap[t, f] > union[t, f]
        ]
        for t, f in hit:
            self.true[categories[t]] += 1
            self.iou[categories[t]] += overlap[t, f] / union[t, f]
        self.missed.update(c for t, c in enumerate(categories) if t not in {t for t, _ in hit})
        self.extra.update(k for f, k in enumerate(labels, 1) if f not in {f for _, f in hit})

    def of(self, category: int) -> float | None:
        weight = self.true[category] + (self.extra[category] + self.missed[category]) / 2
        return 100 * self.iou[category] / weight if weight else None

    def mean(self, names) -> float:
        values = [q for n in names if (q := self.of(CLASSES.index(n))) is not None]
        return float(np.mean(values)) if values else float("nan")


@torch.no_grad()
def segment(
    net: FCCLIP, scene: Scene, branches: dict[str, tuple[float, float]]
) -> dict[str, tuple[np.ndarray, list[int]]]:
    """-> panoptic id map and segment labels of each branch."""
    image = FCCLIP.preprocess(torch.from_numpy(scene.picture))
    maps = net.trunk(image)
    features, levels = net.pixel(maps)
    thing, out = [c in THINGS for c in CLASSES], {}
    for name, (alpha, beta) in branches.items():
        net.cfg = Config(**{**net.cfg.__dict__, "alpha": alpha, "beta": beta})
        prediction = net.decode(maps, features, levels)
        soft = resize(prediction.masks, image.shape[2:])[0].sigmoid()
        ids, segments = panoptic_map(prediction.ensemble, soft, thing, 0.0, 0.8)
        out[name] = ids.numpy(), [s.category for s in segments]
    return out


def vocabulary(net: FCCLIP, tokenizer: Tokenizer) -> Tensor:
    """Rows of all names of all classes."""
    return classifier(net.text, tokenizer, [n for c in CLASSES for n in names(c)]).cpu()


def measure(
    net: FCCLIP, rows: Tensor, seed: int, count: int, branches: dict[str, tuple[float, float]], talk: bool = False
) -> dict[str, Quality]:
    """Each branch's quality on scenes 0 .. count - 1 of the seed.

    `agnostic` judges the last branch's segments without their names.
    """
    net.set_vocabulary(rows, [len(names(c)) for c in CLASSES], [float(c in SEEN) for c in CLASSES])
    result = {name: Quality() for name in (*branches, "agnostic")}
    for i in range(count):
        scene = compose((seed, i))
        categories = [s.category for s in scene.segments]
        for name, (ids, labels) in segment(net, scene, branches).items():
            result[name].add(scene.ids, categories, ids, labels)
        result["agnostic"].add(scene.ids, [0] * len(categories), ids, [0] * len(labels))
        if talk and (i + 1) % 50 == 0:
            print(f"{i + 1}/{count}", file=sys.stderr)
    return result


def judge_scenes(net: FCCLIP, tokenizer: Tokenizer, seed: int, count: int) -> dict[str, float]:
    """A few figures on a copy of the network in training."""
    rows = vocabulary(net, tokenizer)
    text, net.text = net.text, None
    still = copy.deepcopy(net).cpu().eval()
    net.text = text
    q = measure(still, rows, seed, count, {"ensemble": BRANCHES["ensemble"]})
    return {f"PQ {g}": q["ensemble"].mean(GROUPS[g]) for g in ("all", "seen", "unseen")} | {
        "PQ agnostic": q["agnostic"].of(0) or 0.0
    }


def main() -> None:
    from .checkpoint import read

    parser = argparse.ArgumentParser(prog="python -m DemoModel.evaluate", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--json", type=Path, help="also write the figures, per class too")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    net = read(options.checkpoint)
    result = measure(net, vocabulary(net, Tokenizer()), HELD_OUT, options.count, BRANCHES, talk=True)
    figures = {name: {g: round(result[name].mean(members), 2) for g, members in GROUPS.items()} for name in BRANCHES}
    print("| branch | " + " | ".join(GROUPS) + " |\n" + "|---" * (len(GROUPS) + 1) + "|")
    for name, row in figures.items():
        print(f"| {name} | " + " | ".join(f"{v:.1f}" for v in row.values()) + " |")
    print(f"\nclass-agnostic PQ {result['agnostic'].of(0):.1f} on {options.count} scenes")
    if options.json:
        classes = {c: result["ensemble"].of(i) for i, c in enumerate(CLASSES)}
        options.json.write_text(
            json.dumps({"scenes": options.count, "PQ": figures, "classes": classes}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
