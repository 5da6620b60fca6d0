"""Readers of annotated pictures in folders, in the forms that `quantize evaluate` reads: label maps, COCO panoptic."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from Scenes.scene import Segment

from .augment import VOID

Names = tuple[int | None, list[str], bool]  # of a class: id in the label maps, name and synonyms, whether a thing


def fail(place: Path | str, what: str) -> SystemExit:
    return SystemExit(f"{place}: {what}")


def read_names(path: Path) -> list[Names]:
    """A name list as `quantize vocab` reads it: `[id:]name,synonym[TAB thing|stuff]`, one class a line."""
    out = []
    for number, line in enumerate(text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words, *kind = (part.strip() for part in line.split("\t"))
        identity, names = re.fullmatch(r"(?:(\d+):)?(.*)", words).groups()
        names = [n.strip() for n in names.split(",") if n.strip()]
        if not names or (kind and kind[0] not in ("thing", "stuff")):
            raise fail(path, f"line {number} is not of the form [id:]name,synonym[TAB thing|stuff]")
        out.append((None if identity is None else int(identity), names, kind[:1] != ["stuff"]))
    if not out:
        raise fail(path, "names no class")
    return out


def text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise fail(path, f"cannot be read ({error})") from None


def image(path: Path, mode: str | None = None) -> np.ndarray:
    try:
        with Image.open(path) as file:
            return np.asarray(file.convert(mode) if mode else file)
    except (OSError, SyntaxError, ValueError) as error:
        raise fail(path, f"cannot be read ({error})") from None


class LabelMaps:
    """Grey PNG files whose values are the classes' ids; other values are void. One segment a class and picture."""

    def __init__(self, pictures: Path, maps: Path, classes: Path, endings: str) -> None:
        ending, map_ending = endings.split(":")
        self.classes = read_names(classes)
        self.pictures = sorted(p for p in pictures.rglob("*") if p.name.endswith(ending))
        if not self.pictures:
            raise fail(pictures, f"no file in this folder ends in {ending}")
        self.maps = [maps / f"{str(p.relative_to(pictures))[: -len(ending)]}{map_ending}" for p in self.pictures]
        self.table = np.full(256, VOID, np.uint8)
        for index, (identity, names, _) in enumerate(self.classes):
            if identity is None or identity > 255:
                raise fail(classes, f"{names[0]} has no id of 0...255, which label maps are read by; write id:name")
            self.table[identity] = index

    def segments(self, number: int) -> tuple[np.ndarray, list[Segment]]:
        """-> ids (H, W), segments."""
        grey = image(self.maps[number])
        if grey.ndim != 2 or grey.dtype != np.uint8:
            raise fail(self.maps[number], "is no grey picture of 8 bits")
        classes = self.table[grey]
        present = np.unique(classes[classes != VOID])
        place = np.full(256, VOID, np.uint8)
        place[present] = np.arange(len(present))
        return place[classes], [Segment(int(c)) for c in present]


class CocoPanoptic:
    """COCO's panoptic form: segments in JSON; id = red + 256 green + 65536 blue in PNG files. Crowds are void."""

    def __init__(self, pictures: Path, annotations: Path, maps: Path | None, classes: Path | None) -> None:
        try:
            data = json.loads(text(annotations))
            categories = [(c["id"], c["name"], bool(c.get("isthing", 1))) for c in data["categories"]]
            files = {i["id"]: i["file_name"] for i in data["images"]}
            rows = [
                (
                    files[a["image_id"]],
                    a["file_name"],
                    [(s["id"], s["category_id"], bool(s.get("iscrowd"))) for s in a["segments_info"]],
                )
                for a in data["annotations"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise fail(annotations, f"is no COCO panoptic JSON ({type(error).__name__}: {error})") from None
        if not rows:
            raise fail(annotations, "annotates no picture")
        self.classes = read_names(classes) if classes else [(None, [name], thing) for _, name, thing in categories]
        index = {n.lower(): i for i, (_, names, _) in enumerate(self.classes) for n in reversed(names)}
        self.index = {identity: index[name.lower()] for identity, name, _ in categories if name.lower() in index}
        self.pictures = [pictures / picture for picture, _, _ in rows]
        self.maps = [(maps or annotations.with_suffix("")) / name for _, name, _ in rows]
        self.rows = [info for _, _, info in rows]

    def segments(self, number: int) -> tuple[np.ndarray, list[Segment]]:
        """-> ids (H, W), segments."""
        identities = image(self.maps[number], "RGB").astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
        ids, out = np.full(identities.shape, VOID, np.uint8), []
        for identity, source, is_crowd in self.rows[number]:
            category, on = self.index.get(source), identities == identity
            if category is not None and not is_crowd and len(out) < VOID and on.any():
                ids[on] = len(out)
                out.append(Segment(category))
        return ids, out
