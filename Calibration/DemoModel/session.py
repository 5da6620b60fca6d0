"""A training run in a folder: state that survives being killed, a log, curves."""

from __future__ import annotations

import csv
import os
import time
from collections import defaultdict
from pathlib import Path

import torch
from torch import nn

from .batches import stream
from .model import FCCLIP
from .phases import Phase, Stage
from .tokenizer import Tokenizer


def default_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Session:
    """Runs stages in order. `state.pt` holds the network, the optimiser, the position; replaced atomically."""

    def __init__(
        self, folder: Path, net: FCCLIP, tokenizer: Tokenizer, device: torch.device, workers: int, save_every: float
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.net, self.tokenizer, self.device, self.workers, self.save_every = (
            folder,
            net.to(device),
            tokenizer,
            device,
            workers,
            save_every,
        )
        self.stage, self.step, self.optimizer_state, self.seconds = 0, 0, None, 0.0

    def log(self, line: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {line}"
        print(line, flush=True)
        with open(self.folder / "log.txt", "a") as file:
            file.write(line + "\n")

    def curve(self, stage: str, step: int, values: dict[str, float]) -> None:
        with open(self.folder / "curves.csv", "a", newline="") as file:
            csv.writer(file).writerows([stage, step, round(self.seconds), k, f"{v:.4g}"] for k, v in values.items())

    # ---- state
    def save(self, optimizer: torch.optim.Optimizer | None) -> None:
        state = {
            "model": self.net.state_dict(),
            "optimizer": optimizer and optimizer.state_dict(),
            "stage": self.stage,
            "step": self.step,
            "seconds": self.seconds,
        }
        part = self.folder / "state.part"
        torch.save(state, part)
        os.replace(part, self.folder / "state.pt")

    def resume(self) -> bool:
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["model"])
        self.stage, self.step, self.optimizer_state, self.seconds = (
            state["stage"],
            state["step"],
            state["optimizer"],
            state["seconds"],
        )
        return True

    # ---- training
    def run(self, stages: list[Stage]) -> None:
        while self.stage < len(stages):
            stage = stages[self.stage]
            phase = stage.phase(self.net, self.tokenizer, stage, self.device)
            if self.step == 0:
                phase.begin()
            self.run_stage(stage, phase)
            self.stage, self.step, self.optimizer_state = self.stage + 1, 0, None
            self.save(None)

    def run_stage(self, stage: Stage, phase: Phase) -> None:
        parameters = phase.parameters()
        for p in self.net.parameters():
            p.requires_grad_(False)
        for p in parameters:
            p.requires_grad_(True)
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": phase.decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=stage.rate, betas=phase.betas)
        if self.optimizer_state:
            optimizer.load_state_dict(self.optimizer_state)
        size = sum(p.numel() for p in parameters)
        self.log(
            f"{stage.name}: steps {self.step} to {stage.steps} of {stage.batch} at {stage.side} pixels, "
            f"{size / 1e6:.2f} M parameters"
        )
        report, sums, counted = max(1, stage.steps // 30), defaultdict(float), 0
        last = saved = time.monotonic()
        for batch in stream(phase.batches(), self.step, stage.steps, self.workers):
            for group in optimizer.param_groups:
                group["lr"] = stage.learning_rate(self.step)
            batch = {k: v.to(self.device) for k, v in batch.items()}
            loss, parts = phase.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            if not torch.isfinite(loss):
                raise SystemExit(f"{stage.name}: loss is {loss.item()} at step {self.step}")
            optimizer.step()
            self.step += 1
            counted += 1
            for name, value in parts.items():
                sums[name] += float(value.detach())
            now = time.monotonic()
            if self.step % report == 0 or self.step in (20, stage.steps):
                rate = counted * stage.batch / (now - last)
                self.seconds += now - last
                means = {k: v / counted for k, v in sums.items()}
                self.net.eval()
                means |= phase.judge() if self.step % report == 0 or self.step == stage.steps else {}
                self.log(
                    f"{stage.name} {self.step}/{stage.steps} {rate:.1f}/s "
                    + " ".join(f"{k} {v:.3f}" for k, v in means.items())
                )
                self.curve(stage.name, self.step, means)
                sums, counted, last = defaultdict(float), 0, time.monotonic()
            if now - saved > self.save_every:
                self.save(optimizer)
                saved = time.monotonic()
