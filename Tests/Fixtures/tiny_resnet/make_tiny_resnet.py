"""Makes the files of this folder anew: make_tiny_resnet.py [--seed 13], with PyTorch, Pillow and safetensors."""

import argparse
import gzip
import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from safetensors.torch import save

folder = Path(__file__).parent
sys.path.insert(0, str(folder.parent.parent / "Reference"))
from dump import record, write  # noqa: E402

from fcclip import FCCLIP, PRESETS  # noqa: E402
from random_checkpoint import CLIP, make_random_checkpoint, split  # noqa: E402

SAMPLE, CLASSES = 1024, 12
PICTURES = {"tiny_resnet_a": ("synth_161x97.png", 97), "tiny_resnet_b": ("synth_420x300.jpg", 213)}


def compress(name: str, content: bytes) -> None:
    path = folder / (name + ".gz")
    path.write_bytes(gzip.compress(content, mtime=0))
    print(f"{path.name}: {path.stat().st_size} bytes")


@torch.no_grad()
def main(seed: int) -> None:
    torch.set_num_threads(1)  # The order of sums depends on it.
    state = make_random_checkpoint(PRESETS["tiny_rn"], seed, significant_bits=3, positive=0.08)
    # Prompts as the original's tokenizer made them. Embeddings of tokens that none of them has become zero.
    ids = torch.from_numpy(load_file(folder.parent / "tiny" / "text.safetensors")["four.tokens"].astype(np.int64))
    embedding, used = state[CLIP + "token_embedding.weight"], ids.unique()
    kept = torch.zeros_like(embedding)
    kept[used] = embedding[used]
    state[CLIP + "token_embedding.weight"] = kept
    head, clip = split(state)
    file = io.BytesIO()
    torch.save({"model": head}, file)
    compress("head.pth", file.getvalue())
    compress("clip.safetensors", save(clip))

    model = FCCLIP(PRESETS["tiny_rn"], with_text=True).load_upstream(state)
    raw = torch.stack([model.text(row) for row in ids])
    compress("text.safetensors", save({"tokens": ids, "raw": raw, "embeddings": FCCLIP.prompt_average(raw)}))
    for name, (picture, short) in PICTURES.items():
        with Image.open(folder.parent / "pictures" / picture) as image:
            recorded, meta = record(model, image.convert("RGB"), short, CLASSES)
        write(recorded, meta, str(folder / f"{name}.safetensors"), SAMPLE)
        compress(f"{name}.safetensors", (folder / f"{name}.safetensors").read_bytes())
        (folder / f"{name}.safetensors").unlink()
        logits = torch.from_numpy(recorded[f"dec.h{model.cfg.dec_layers}.mask_logits"])
        area = [n // 32 for n in meta["padded"]]
        inside = torch.nn.functional.interpolate(logits, size=area, mode="bilinear")[0].flatten(1) > 0
        labels = recorded["prob.final"].argmax(1)
        print(
            f"{name}: map {area[0]} x {area[1]}, {int((inside.sum(1) == 0).sum())} of {len(inside)} masks empty, "
            f"{int((labels == CLASSES).sum())} queries void, {len(recorded['panoptic.segments'])} segments, "
            f"{len(np.unique(recorded['sem_seg.argmax']))} classes, {len(recorded['inst.scores'])} instances, "
            f"smallest mask logit {logits.abs().min():.1e}, at stride 32 {near(logits, area):.1e}"
        )


def near(logits: torch.Tensor, area: list[int]) -> float:
    return float(torch.nn.functional.interpolate(logits, size=area, mode="bilinear").abs().min())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=13)
    main(parser.parse_args().seed)
