"""Scenes as a data set in the form of COCO panoptic: pictures/, panoptic/ (PNG id maps), panoptic.json,
captions.json, and name lists of all classes and of the seen ones (classes.txt, seen.txt)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .captions import describe
from .kinds import CLASSES, COLOURS, PATTERNS, SEEN, STUFF, THINGS, UNSEEN, names
from .scene import Scene, Segment, compose

HELD_OUT = 500  # seed of the scenes that measure, used for nothing else


def categories() -> list[dict]:
    return [
        {
            "id": i + 1,
            "name": name,
            "isthing": int(name in THINGS),
            "supercategory": "unseen" if name in UNSEEN else "seen",
        }
        for i, name in enumerate(CLASSES)
    ]


def phrase(segment: Segment) -> str:
    """What a person would type to find it: "purple striped star"."""
    words = [tuple(COLOURS)[segment.colour]] * (segment.colour >= 0) + [PATTERNS[segment.pattern]] * (
        segment.pattern > 0
    )
    return " ".join([*words, CLASSES[segment.category]])


def annotate(scene: Scene) -> tuple[np.ndarray, list[dict]]:
    """-> (ids (n, n) with 1 for the first segment, COCO's segments_info, each with a `phrase` besides)."""
    ids, info = scene.ids.astype(np.uint32) + 1, []
    for number, segment in enumerate(scene.segments, 1):
        y, x = np.nonzero(ids == number)
        box = [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
        info.append(
            {
                "id": number,
                "category_id": segment.category + 1,
                "area": len(x),
                "bbox": box,
                "iscrowd": 0,
                "phrase": phrase(segment),
            }
        )
    return ids, info


def write(
    folder: Path,
    numbers: Sequence[int],
    seed: int,
    side: int = 256,
    things: Sequence[str] = THINGS,
    stuff: Sequence[str] = STUFF,
) -> None:
    """Writes scenes, number i made from the seed (seed, i)."""
    for name in ("pictures", "panoptic"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    images, annotations, captions = [], [], []
    for i in numbers:
        scene, name = compose((seed, i), side, things, stuff), f"{i:06d}.png"
        ids, info = annotate(scene)
        Image.fromarray(scene.picture).save(folder / "pictures" / name)
        colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], 2).astype(np.uint8)
        Image.fromarray(colours).save(folder / "panoptic" / name)
        images.append({"id": i, "file_name": name, "height": side, "width": side})
        annotations.append({"image_id": i, "file_name": name, "segments_info": info})
        captions.append({"image_id": i, "caption": describe(scene.segments, np.random.default_rng((seed, i, 1)))})

    def save(name, value):
        return (folder / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")

    save("panoptic.json", {"images": images, "annotations": annotations, "categories": categories()})
    save("captions.json", {"images": images, "annotations": captions})
    (folder / "classes.txt").write_text(name_list(CLASSES))
    (folder / "seen.txt").write_text(name_list(SEEN))


def name_list(classes: Sequence[str]) -> str:
    """Classes as `quantize vocab` reads them: name, synonym, and thing or stuff."""
    return "".join(f"{','.join(names(c))}\t{'thing' if c in THINGS else 'stuff'}\n" for c in classes)
