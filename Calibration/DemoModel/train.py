"""Trains a model: of the drawn scenes, or of a world of your own. The same command resumes a run that was stopped.

python -m DemoModel.train FOLDER      (run in Calibration/)
python -m DemoModel.train FOLDER --pictures PICTURES --maps LABEL_MAPS --classes NAMES
python -m DemoModel.train FOLDER --pictures PICTURES --panoptic FILE.json
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import torch

from Scenes.scene import warm_up

from . import checkpoint, plans
from .drawn import Drawn
from .model import CONFIG, build
from .photographs import Photographs
from .session import Session, default_device
from .tokenizer import MERGES, Tokenizer, write


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m DemoModel.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="state, log, curves and checkpoint go here")
    world = parser.add_argument_group("a world of your own, in the forms that `quantize evaluate` reads")
    world.add_argument("--pictures", type=Path, help="folder of the pictures")
    world.add_argument("--maps", type=Path, help="folder of label maps, or with --panoptic of id maps")
    world.add_argument("--panoptic", type=Path, help="COCO panoptic annotations; id maps in the folder of that name")
    world.add_argument("--classes", type=Path, help="name list; for label maps with ids (`3:road,street<TAB>stuff`)")
    world.add_argument(
        "--endings", default=".jpg:.png", help="of a picture's name and its label map's (default .jpg:.png)"
    )
    world.add_argument("--shortest-edge", type=int, default=360, help="as for `quantize`, in pixels (default 360)")
    for name in ("pictures", "maps", "panoptic"):
        world.add_argument(f"--held-out-{name}", type=Path, help="the same of pictures that judge and do not train")
    parser.add_argument("--start", type=Path, help="drawn scenes: a trained checkpoint, to be trained further")
    parser.add_argument("--effort", type=float, default=1.0, help="multiplies the number of steps (default 1)")
    parser.add_argument("--width", type=float, default=1.0, help="drawn scenes: multiplies the batches (default 1)")
    parser.add_argument("--minutes", type=float, help="shorten the stages so that all of them end within this time")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--workers", type=int, help="processes that make batches (default: 1, with a GPU all cores but one)"
    )
    parser.add_argument("--save-every", type=float, default=180, help="seconds between states (default 180)")
    parser.add_argument("--reports", type=int, default=30, help="lines of log for each stage (default 30)")
    parser.add_argument("--restart", action="store_true", help="ignore a state in the folder")
    return parser


def main() -> None:
    started = time.monotonic()
    parser = arguments()
    options = parser.parse_args()
    if options.pictures is None and (options.maps or options.panoptic or options.classes):
        parser.error("--pictures is missing")
    if options.endings.count(":") != 1:
        parser.error("--endings is two endings with a colon between")
    if options.start and options.pictures:
        parser.error("--start is for drawn scenes: the tokens of a world are its own")
    device = default_device()
    torch.set_num_threads(options.threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.pictures is None:
        world, tokenizer = Drawn(), Tokenizer(MERGES)
        warm_up()
        plan = plans.drawn_again if options.start else plans.drawn
        stages = plan(world, tokenizer, options.effort, options.width)
        result = options.folder / "demo.pth"
    else:
        world = Photographs.read(
            options.pictures, options.maps, options.panoptic, options.classes, options.endings, options.shortest_edge
        )
        held_out = options.held_out_pictures and Photographs.read(
            options.held_out_pictures,
            options.held_out_maps,
            options.held_out_panoptic,
            options.classes,
            options.endings,
            options.shortest_edge,
        )
        merges = options.folder / "merges.txt"
        write(merges, world.sentences())
        tokenizer = Tokenizer(merges)
        (options.folder / "classes.txt").write_text(world.name_list())
        stages = plans.photographs(world, held_out, tokenizer, options.effort)
        result = options.folder / "model.pth"
    workers = options.workers
    if workers is None:
        workers = 1 if device.type == "cpu" else max(1, (os.cpu_count() or 2) - 1)
    net = checkpoint.read(options.start) if options.start else build(replace(CONFIG, text_tokens=len(tokenizer)))
    deadline = options.minutes and started + 60 * options.minutes
    session = Session(
        options.folder, net, world, tokenizer, device, workers, options.save_every, deadline, options.reports
    )
    if not options.restart and session.resume():
        session.log(f"going on at stage {session.stage + 1}, step {session.step}, on {device}")
    else:
        session.log(f"starting on {device} with {len(tokenizer)} tokens")
    session.run(stages)
    checkpoint.write(result, session.net)
    session.log(f"wrote {result.name} after {session.seconds / 60:.0f} minutes of training")


if __name__ == "__main__":
    main()
