"""The plans of training: the stages, their data and their lengths."""

from __future__ import annotations

from .batches import Captions, Panoptic, Regions, Texts
from .drawn import Drawn
from .evaluate import judge_scenes
from .phases import CaptionPhase, JointPhase, MaskPhase, PicturePhase, Stage, TextPhase
from .photographs import Photographs
from .tokenizer import Tokenizer

PROBE_SEED = 90  # pictures that judge during training


def drawn(world: Drawn, tokenizer: Tokenizer, effort: float = 1, width: float = 1) -> list[Stage]:
    """effort: multiplies all steps; 1 takes about two and a half hours on two cores. width: multiplies all batches."""

    def steps(n):
        return max(2, round(n * effort))

    def wide(n):
        return max(2, round(n * width))

    def judge(net, words):
        return judge_scenes(net, words, PROBE_SEED, 32)

    def pictures(seed, size, draw):
        return Regions(world, tokenizer, seed, wide(size), draw)

    def masks(seed, side):
        return Panoptic(world, seed, wide(8), world.seen_scenes(side))

    probe = Regions(world, tokenizer, PROBE_SEED, 12, world.scenes(256))
    near, full = pictures(2, 64, world.close_ups(96)), pictures(3, 12, world.full_scenes(256))
    captions = Captions(world, tokenizer, 6, 32, world.scenes(256), world.close_ups(96))
    return [
        Stage("text", TextPhase, Texts(world, tokenizer, 1, 128), steps(600), 2e-3, cost=0.3),
        Stage("close-ups", PicturePhase, near, steps(1500), 1.5e-3, 0.6, probe=probe, cost=0.8),
        Stage("scenes", PicturePhase, full, steps(3600), 1e-3, 0.01, probe=probe),
        Stage("captions", CaptionPhase, captions, steps(1000), 2e-3, 0.01, probe=probe, cost=2),
        Stage("masks, small", MaskPhase, masks(4, 192), steps(1800), 7e-4, 0.6, 0.5, judge=judge, cost=0.8),
        # masks are good by now, names not yet: the second round starts from a high learning rate again
        Stage("masks", MaskPhase, masks(4, 256), steps(1300), 6e-4, 0.02, 0.4, judge=judge),
        Stage("names, small", MaskPhase, masks(5, 192), steps(3600), 7e-4, 0.5, 0.4, judge=judge, cost=0.8),
        Stage("names", MaskPhase, masks(5, 256), steps(2400), 6e-4, 0.01, 0.2, judge=judge),
    ]


def drawn_again(world: Drawn, tokenizer: Tokenizer, effort: float = 1, width: float = 1) -> list[Stage]:
    """For a checkpoint that is trained already: its last stages once more, on other scenes and at lower rates."""

    def judge(net, words):
        return judge_scenes(net, words, PROBE_SEED, 32)

    def count(n, factor):
        return max(2, round(n * factor))

    pictures = Regions(world, tokenizer, 13, count(12, width), world.full_scenes(256))
    masks = Panoptic(world, 15, count(8, width), world.seen_scenes(256))
    probe = Regions(world, tokenizer, PROBE_SEED, 12, world.scenes(256))
    return [
        Stage("scenes again", PicturePhase, pictures, count(300, effort), 2e-4, 0.01, warm=10, probe=probe, cost=0.6),
        Stage("names again", MaskPhase, masks, count(1500, effort), 2e-4, 0.01, warm=10, judge=judge),
    ]


def photographs(
    world: Photographs, held_out: Photographs | None, tokenizer: Tokenizer, effort: float = 1
) -> list[Stage]:
    """effort: multiplies all steps. held_out: pictures that judge during training; by default those that train."""

    def steps(n):
        return max(2, round(n * effort))

    def panoptic(seed, size, side):
        return Panoptic(world, seed, size, world.crops(side), with_regions=True)

    judged = held_out or world
    probe = Regions(world, tokenizer, PROBE_SEED, 12, judged.crops(256))
    near = Regions(world, tokenizer, 2, 32, world.crops(192))
    return [
        Stage("text", TextPhase, Texts(world, tokenizer, 1, 128), steps(400), 2e-3, cost=0.3),
        Stage("regions", PicturePhase, near, steps(1500), 1e-3, 0.6, probe=probe, cost=0.8),
        Stage("all, small", JointPhase, panoptic(3, 16, 256), steps(6000), 8e-4, 0.6, 0.3, judge=judged.judge),
        Stage("all", JointPhase, panoptic(4, 12, 384), steps(5000), 6e-4, 0.005, judge=judged.judge, cost=1.5),
    ]
