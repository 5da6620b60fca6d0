"""Trains the demo model. The same command resumes a run that was stopped.

python -m DemoModel.train FOLDER      (run in Calibration/)
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from Scenes.scene import warm_up

from . import checkpoint
from .model import build
from .phases import CaptionPhase, CloseUpPhase, MaskPhase, PicturePhase, SecondMaskPhase, Stage, TextPhase
from .session import Session, default_device
from .tokenizer import Tokenizer


def plan(effort: float) -> list[Stage]:
    """The stages. effort: multiplies all steps; 1 takes about two and a half hours on two cores."""

    def steps(n):
        return max(2, round(n * effort))

    return [
        Stage("text", TextPhase, steps(600), 128, 0, 2e-3),
        Stage("close-ups", CloseUpPhase, steps(1500), 64, 96, 1.5e-3, ends=0.6),
        Stage("scenes", PicturePhase, steps(3600), 12, 256, 1e-3, ends=0.01),
        Stage("captions", CaptionPhase, steps(1000), 32, 256, 2e-3, ends=0.01),
        Stage("masks, small", MaskPhase, steps(1800), 8, 192, 7e-4, ends=0.6, flat=0.5),
        Stage("masks", MaskPhase, steps(1300), 8, 256, 6e-4, ends=0.02, flat=0.4),
        Stage("names, small", SecondMaskPhase, steps(3600), 8, 192, 7e-4, ends=0.5, flat=0.4),
        Stage("names", SecondMaskPhase, steps(2400), 8, 256, 6e-4, ends=0.01, flat=0.2),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m DemoModel.train", description=__doc__)
    parser.add_argument("folder", type=Path, help="state, log, curves and checkpoint go here")
    parser.add_argument(
        "--effort",
        type=float,
        default=1.0,
        help="multiplies the number of steps (default 1: about two and a half hours on two cores)",
    )
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--workers", type=int, help="processes that draw scenes (default: 1, with a GPU all cores but one)"
    )
    parser.add_argument("--save-every", type=float, default=180, help="seconds between states (default 180)")
    parser.add_argument("--restart", action="store_true", help="ignore a state in the folder")
    options = parser.parse_args()
    device = default_device()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    tokenizer = Tokenizer()
    warm_up()
    workers = (
        options.workers
        if options.workers is not None
        else 1
        if device.type == "cpu"
        else max(1, (os.cpu_count() or 2) - 1)
    )
    session = Session(options.folder, build(), tokenizer, device, workers, options.save_every)
    if not options.restart and session.resume():
        session.log(f"going on at stage {session.stage + 1}, step {session.step}, on {device}")
    else:
        session.log(f"starting on {device} with {len(tokenizer)} tokens")
    session.run(plan(options.effort))
    checkpoint.write(options.folder / "demo.pth", session.net)
    session.log(f"wrote {options.folder / 'demo.pth'} after {session.seconds / 60:.0f} minutes of training")


if __name__ == "__main__":
    main()
