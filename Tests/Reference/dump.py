"""Turn recorded tensors (.npz) or a run of fcclip.py into a dump that `quantize reference` reads.

python dump.py convert recorded.npz dump.safetensors [--sample N]
python dump.py run checkpoint.pth picture.jpg dump.safetensors [--short 512] [--classes 12] [--sample N]

A dump is a safetensors file. Feature maps are (pixels, channels), mask logits (queries, pixels). With --sample, tensors
of more than N values keep every s-th value only and are called `name@s`.
"""

from __future__ import annotations

import argparse
import json
import re

import numpy as np
from safetensors.numpy import save_file

MAPS = re.compile(r"(stem|res\d|clip_vis_dense|pd\.input_proj\.\d|pd\.multi_scale\.\d|pd\.mask_features|sem_seg)$")
WHOLE = re.compile(
    r"(meta\..*|text\.classifier|num_templates|overlap|resized_rgb|.*attn_mask|panoptic.*|inst\..*|sem_seg\.argmax)$"
)
SKIPPED = re.compile(
    r"(meta|text\.(tokens|raw)|image_rgb|input|mask_cls|sem_seg\.margin|.*attn_mask\.(bits|shape)|inst\.masks.*|inst\.topk.*|pd\.spatial_shapes)$"
)


def rows(name: str, value: np.ndarray) -> np.ndarray:
    """The tensor as the network's rows."""
    if MAPS.match(name):
        value = value.reshape(value.shape[-3:])
        return value.reshape(value.shape[0], -1).T
    return value.reshape(value.shape[1:]) if value.ndim > 2 and value.shape[0] == 1 else value


def attention_masks(recorded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Blocked bits (queries, tokens) as used: a query blocked everywhere is blocked nowhere."""
    result = {}
    masks = sorted(key for key in recorded if key.endswith("attn_mask.bits"))
    for key in masks[:-1]:  # no layer reads the last
        name = key[: -len(".bits")]
        shape = tuple(recorded[name + ".shape"])[-2:]
        bits = np.unpackbits(recorded[key], bitorder="little")[: shape[0] * shape[1]].reshape(shape)
        result[name] = bits & ~bits.all(1, keepdims=True)
    return result


def write(recorded: dict[str, np.ndarray], meta: dict, path: str, sample: int | None) -> None:
    tensors = attention_masks(recorded)
    for name, value in recorded.items():
        if not SKIPPED.match(name):
            tensors[name] = rows(name, value)
    tensors["meta.sizes"] = np.array([*meta["image_size"], *meta["resized"], *meta["padded"]], np.int64)
    tensors["meta.thing"] = np.array(meta["thing"], np.uint8)
    out = {}
    for name, value in tensors.items():
        value = np.ascontiguousarray(value)
        if sample and value.size > sample and not WHOLE.match(name):
            step = value.size // sample
            step += 1 - step % 2
            out[f"{name}@{step}"] = np.ascontiguousarray(value.reshape(-1)[::step])
        else:
            out[name] = value
    save_file(out, path)
    print(f"{path}: {len(out)} tensors, {sum(v.nbytes for v in out.values()) / 1e6:.2f} MB")


def instances(prediction, padded, inner, size, thing, top: int = 100, margin: float = 1e-4):
    """The instances of `fcclip.postprocess`, and those that rounding could put among them.

    `decided` ones are not near the end of the list, and no pixel near the threshold matters to their score.
    """
    import torch

    from fcclip import resize

    classes = prediction.ensemble.shape[1] - 1
    prob = prediction.ensemble[:, :-1].flatten()
    last = prob.topk(min(top, len(prob))).values[-1]
    pairs = (prob > last - 2 * margin).nonzero()[:, 0]
    pairs = pairs[torch.tensor(thing)[pairs % classes]]
    used, index = torch.div(pairs, classes, rounding_mode="floor").unique(return_inverse=True)
    logits = resize(resize(prediction.masks[:, used], padded)[:, :, : inner[0], : inner[1]], size)[0].flatten(1)
    soft = logits.sigmoid()

    def scores(threshold: float):
        inside = logits > threshold
        return prob[pairs] * ((soft * inside).sum(1) / (inside.sum(1) + 1e-6))[index]

    decided = (prob[pairs] > last + 2 * margin) & ((scores(margin) - scores(-margin)).abs() < margin / 10)
    return {"scores": scores(0), "classes": pairs % classes, "decided": decided.to(torch.uint8)}


def record(model, picture, short: int, classes: int) -> tuple[dict[str, np.ndarray], dict]:
    """The tensors of `model` (fcclip.py) for a picture with its shortest edge resized to `short`, and their meta data.

    Class k has 1 + k % 3 names with random embeddings; every other class counts as seen, two of three are things. A
    model in float64 leaves nearly all rounding errors of a comparison to the other side.
    """
    import torch
    from PIL import Image

    from fcclip import FCCLIP, Prediction, postprocess

    dtype = next(model.parameters()).dtype
    scale = short / min(picture.size)
    inner = [int(picture.height * scale + 0.5), int(picture.width * scale + 0.5)]
    resized = np.asarray(picture.resize((inner[1], inner[0]), Image.BILINEAR))
    names = [1 + k % 3 for k in range(classes)]
    seen, thing = [k % 2 for k in range(classes)], [k % 3 > 0 for k in range(classes)]
    generator = torch.Generator().manual_seed(classes)
    unit = torch.nn.functional.normalize(torch.randn(sum(names), model.cfg.embed_dim, generator=generator), dim=1)
    model.set_vocabulary(unit.to(dtype), names, seen)
    with torch.no_grad():
        image = FCCLIP.preprocess(torch.from_numpy(resized.copy())).to(dtype)
        prediction, trace = model.traced(image)
        prediction = Prediction(*(t.float() for t in prediction))
        padded = tuple(image.shape[-2:])
        sizes = padded, tuple(inner), (picture.height, picture.width)
        output = postprocess(prediction, *sizes, thing)
        found = instances(prediction, *sizes, thing)
    trace = (
        {k: v for k, v in trace.items() if k != "valid"}
        | {
            "prob.final": prediction.ensemble,
            "prob.in_vocab": prediction.in_vocab,
            "prob.out_vocab": prediction.out_vocab,
            "text.classifier": model.classifier,
            "sem_seg.argmax": output.semantic.argmax(0),
            "panoptic": output.panoptic,
        }
        | {f"inst.{k}": v for k, v in found.items()}
    )
    recorded = {k: (v.float() if v.is_floating_point() else v).numpy() for k, v in trace.items()} | {
        "resized_rgb": resized,
        "num_templates": np.array(names, np.int64),
        "overlap": np.array(seen, np.int64),
        "panoptic.segments": np.array([[s.id, s.is_thing, s.category] for s in output.segments], np.int64).reshape(
            -1, 3
        ),
    }
    return recorded, {
        "image_size": [picture.height, picture.width],
        "resized": inner,
        "padded": padded,
        "thing": thing,
    }


def run(arguments: argparse.Namespace) -> None:
    import torch
    from PIL import Image

    from fcclip import FCCLIP, Config

    state = torch.load(arguments.checkpoint, map_location="cpu", mmap=True)
    state = state.get("model", state)
    model = FCCLIP(Config.from_upstream(state)).load_upstream(state).double()
    picture = Image.open(arguments.picture).convert("RGB")
    recorded, meta = record(model, picture, arguments.short, arguments.classes)
    write(recorded, meta, arguments.dump, arguments.sample)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("convert")
    convert.add_argument("recorded")
    from_checkpoint = commands.add_parser("run")
    from_checkpoint.add_argument("checkpoint")
    from_checkpoint.add_argument("picture")
    from_checkpoint.add_argument("--short", type=int, default=512)
    from_checkpoint.add_argument("--classes", type=int, default=12)
    for command in (convert, from_checkpoint):
        command.add_argument("dump")
        command.add_argument("--sample", type=int)
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments)
    else:
        archive = np.load(arguments.recorded)
        write(
            {k: archive[k] for k in archive.files}, json.loads(str(archive["meta"])), arguments.dump, arguments.sample
        )
