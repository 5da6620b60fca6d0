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
from .world import World

JUDGING = 0.15  # of the training's time at most, but for the end of a stage


def default_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Session:
    """Runs stages in order. `state.pt` holds the network, the optimiser, the position; replaced atomically.

    workers: processes that make batches; save_every: seconds between states; reports: lines of log a stage;
    deadline: on time.monotonic's clock; stages are shortened so that the last one ends there.
    """

    def __init__(
        self,
        folder: Path,
        net: FCCLIP,
        world: World,
        tokenizer: Tokenizer,
        device: torch.device,
        workers: int = 0,
        save_every: float = 180,
        deadline: float | None = None,
        reports: int = 30,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.net, self.world, self.tokenizer, self.device = (
            folder,
            net.to(device),
            world,
            tokenizer,
            device,
        )
        self.workers, self.save_every, self.deadline, self.reports = workers, save_every, deadline, reports
        self.stage, self.step, self.progress, self.optimizer_state = 0, 0, 0.0, None
        self.seconds, self.judging = 0.0, 0.0  # spent on training, on judging

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
            "progress": self.progress,
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
        self.stage, self.step, self.progress = state["stage"], state["step"], state["progress"]
        self.optimizer_state, self.seconds = state["optimizer"], state["seconds"]
        return True

    # ---- training
    def run(self, stages: list[Stage]) -> None:
        while self.stage < len(stages):
            stage = stages[self.stage]
            phase = stage.phase(self.net, self.world, self.tokenizer, stage, self.device)
            if self.step == 0:
                phase.begin()
            self.run_stage(stage, phase, self.allotted(stages))
            self.stage, self.step, self.progress, self.optimizer_state = self.stage + 1, 0, 0.0, None
            self.save(None)

    def allotted(self, stages: list[Stage]) -> float:
        """Seconds for the rest of this stage: its share of those until the deadline."""
        if self.deadline is None:
            return float("inf")
        rest = [s.cost * s.steps for s in stages[self.stage :]]
        rest[0] *= 1 - self.progress
        return max(1.0, self.deadline - time.monotonic()) * rest[0] / sum(rest)

    def run_stage(self, stage: Stage, phase: Phase, allotted: float) -> None:
        parameters = phase.parameters()
        for p in self.net.parameters():
            p.requires_grad_(False)
        for p in parameters:
            p.requires_grad_(True)
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": phase.decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        cuda = self.device.type == "cuda"
        optimizer = torch.optim.AdamW(groups, lr=stage.rate, betas=phase.betas, fused=cuda)
        if self.optimizer_state:
            optimizer.load_state_dict(self.optimizer_state)
        size = sum(p.numel() for p in parameters)
        limit = "" if allotted == float("inf") else f", at most {allotted:.0f} s"
        self.log(
            f"{stage.name}: steps {self.step} to {stage.steps} of {stage.batches.size}, "
            f"{size / 1e6:.2f} M parameters{limit}"
        )
        report, sums, counted = max(1, stage.steps // self.reports), defaultdict(float), 0
        first = last = saved = time.monotonic()
        begun = self.progress
        for batch in stream(stage.batches, self.step, stage.steps, self.workers, cuda):
            for group in optimizer.param_groups:
                group["lr"] = stage.learning_rate(self.step, self.progress)
            batch = {k: v.to(self.device, non_blocking=cuda) for k, v in batch.items()}
            loss, parts = phase.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            self.step += 1
            counted += 1
            for name, value in parts.items():
                sums[name] += value.detach()  # not read before a report, which would wait for the GPU
            now = time.monotonic()
            self.progress = max(self.step / stage.steps, begun + (1 - begun) * (now - first) / allotted)
            ended = self.progress >= 1
            if ended or self.step % report == 0 or self.step == 20:
                means = {k: float(v) / counted for k, v in sums.items()}
                self.require_finite(stage, loss)
                now = time.monotonic()
                rate = counted * stage.batches.size / (now - last)
                self.seconds += now - last
                if ended or (self.step % report == 0 and self.judging < JUDGING * self.seconds):
                    means |= phase.judge()
                    self.judging += time.monotonic() - now
                self.log(
                    f"{stage.name} {self.step}/{stage.steps} {rate:.1f}/s "
                    + " ".join(f"{k} {v:.3f}" for k, v in means.items())
                )
                self.curve(stage.name, self.step, means)
                sums, counted, last = defaultdict(float), 0, time.monotonic()
            if ended:
                break
            if now - saved > self.save_every:
                self.require_finite(stage, loss)
                self.save(optimizer)
                saved = time.monotonic()

    def require_finite(self, stage: Stage, loss: torch.Tensor) -> None:
        if not torch.isfinite(loss):
            raise SystemExit(f"{stage.name}: loss is {loss.item()} at step {self.step}")
