"""python -m Scenes write|sheet|speed|digest: a data set of scenes, a contact sheet, figures (run in Calibration/)."""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import numpy as np
from PIL import Image

from . import coco
from .kinds import SEEN_STUFF, SEEN_THINGS, STUFF, THINGS
from .scene import compose, sprites, warm_up
from .textures import pool


def tiled(pictures: list[np.ndarray], columns: int) -> Image.Image:
    rows = [np.concatenate(pictures[i : i + columns], 1) for i in range(0, len(pictures) // columns * columns, columns)]
    return Image.fromarray(np.concatenate(rows))


def sheet(path: Path, what: str, seed: int) -> None:
    if what == "things":
        layers = [np.asarray(variant[1]) for name in THINGS for variant in sprites()[name][:2]]
        tiled([x[..., 0] - x[..., 1] // 2 - x[..., 3] // 4 for x in layers], 10).save(path)
    elif what == "stuff":
        tiled([t[:192, :192] for k in STUFF for t in pool()[k][:4]], 8).save(path)
    else:
        tiled([compose((seed, i)).picture for i in range(20)], 5).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m Scenes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write pictures, panoptic PNGs and JSON in COCO's form")
    write.add_argument("folder", type=Path)
    write.add_argument("--count", type=int, default=500)
    write.add_argument("--numbers", type=int, nargs="+", help="these scenes instead of the first COUNT")
    write.add_argument("--side", type=int, default=256)
    write.add_argument("--seed", type=int, default=coco.HELD_OUT)
    write.add_argument("--seen-only", action="store_true", help="only the kinds that the mask decoder is trained on")
    view = commands.add_parser("sheet", help="write one picture of many scenes, sprites or textures")
    view.add_argument("path", type=Path)
    view.add_argument("--what", choices=("scenes", "things", "stuff"), default="scenes")
    view.add_argument("--seed", type=int, default=0)
    speed = commands.add_parser("speed", help="measure scenes per second on one core")
    speed.add_argument("--side", type=int, default=256)
    commands.add_parser("digest", help="print the SHA-256 of the first 100 held-out scenes")
    options = parser.parse_args()
    if options.command == "write":
        kinds = (SEEN_THINGS, SEEN_STUFF) if options.seen_only else (THINGS, STUFF)
        coco.write(options.folder, options.numbers or range(options.count), options.seed, options.side, *kinds)
    elif options.command == "sheet":
        sheet(options.path, options.what, options.seed)
    elif options.command == "digest":
        total = hashlib.sha256()
        for i in range(100):
            scene = compose((coco.HELD_OUT, i))
            total.update(scene.picture.tobytes() + scene.ids.tobytes())
        print(total.hexdigest())
    else:
        warm_up()
        start = time.process_time()
        for i in range(100):
            compose((1, i), options.side)
        print(f"{100 / (time.process_time() - start):.0f} scenes a second on one core at {options.side} pixels")


if __name__ == "__main__":
    main()
