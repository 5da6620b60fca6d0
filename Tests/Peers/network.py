"""Shared by the scripts here: the reference network with its vocabulary, its input, agreement of outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "Reference"))

OUTPUTS = ["masks", "in_vocabulary", "out_of_vocabulary", "ensemble"]


def build(checkpoint: Path, vocabulary: Path):
    """The reference in PyTorch, with the classes of a vocabulary made by `quantize vocab`."""
    import torch
    from gguf import GGUFReader

    from fcclip import FCCLIP, Config

    state = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)["model"]
    model = FCCLIP(Config.from_upstream(state)).load_upstream(state)
    file = GGUFReader(vocabulary)

    def value(key):
        return file.fields["fcclip.vocabulary.category." + key].contents()

    rows = next(t for t in file.tensors if t.name == "vocabulary.embeddings").data
    model.set_vocabulary(torch.from_numpy(np.array(rows)), value("name_count"), [float(x) for x in value("seen")])
    return model.requires_grad_(False)


def picture(path: Path, size: int) -> np.ndarray:
    """A picture stretched to size x size and normalised as CLIP's: (1, 3, size, size) float32."""
    from fcclip import PIXEL_MEAN, PIXEL_STD

    rgb = np.asarray(Image.open(path).convert("RGB").resize((size, size), Image.BILINEAR), np.float32)
    values = (rgb - np.float32(PIXEL_MEAN)) / np.float32(PIXEL_STD)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)


def calibration(folder: Path, size: int, count: int = 4) -> list[np.ndarray]:
    """`count` pictures, spread over the folder."""
    paths = sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".jpeg", ".png"))
    return [picture(p, size) for p in paths[:: max(1, len(paths) // count)][:count]]


def agreement(outputs: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> dict[str, float]:
    """Agreement of an engine's outputs with PyTorch's: overlap of positive masks, queries with the same class."""
    a, b = outputs["masks"].ravel() > 0, reference["masks"].ravel() > 0
    same = outputs["ensemble"].reshape(reference["ensemble"].shape).argmax(-1) == reference["ensemble"].argmax(-1)
    return {"mask_iou": float((a & b).sum() / max(1, (a | b).sum())), "same_class": float(same.mean())}
