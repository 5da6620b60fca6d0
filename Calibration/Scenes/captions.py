"""Captions: what is said of a region or of a whole scene, and whether it is true of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .kinds import CLASSES, COLOURS, PATTERNS, SYNONYMS, THINGS
from .scene import Segment

PROMPTS = (
    "a photo of a {}.",
    "This is a photo of a {}",
    "There is a {} in the scene",
    "There is the {} in the scene",
    "a photo of a {} in the scene",
    "a photo of a small {}.",
    "a photo of a medium {}.",
    "a photo of a large {}.",
    "This is a photo of a small {}.",
    "This is a photo of a medium {}.",
    "This is a photo of a large {}.",
    "There is a small {} in the scene.",
    "There is a medium {} in the scene.",
    "There is a large {} in the scene.",
)
LOOSE = ("{}", "a {}", "the {}", "a picture of a {}", "a drawing of a {}", "an image of the {}", "a photo of the {}.")

# An attribute vector: one entry per class, per (thing, colour) and per (thing, pattern).
COLOUR_AT = len(CLASSES)
PATTERN_AT = COLOUR_AT + len(THINGS) * len(COLOURS)
WIDTH = PATTERN_AT + len(THINGS) * len(PATTERNS)


def attributes(segments: Sequence[Segment]) -> np.ndarray:
    """Everything that is true of the segments, float32 (WIDTH,) of 0 and 1."""
    out = np.zeros(WIDTH, np.float32)
    for s in segments:
        out[s.category] = 1
        if s.colour >= 0:
            out[COLOUR_AT + s.category * len(COLOURS) + s.colour] = 1
            out[PATTERN_AT + s.category * len(PATTERNS) + s.pattern] = 1
    return out


def phrase(segment: Segment, r: np.random.Generator, colour: float = 0.5, pattern: float = 0.3) -> tuple[str, Segment]:
    """Words for a segment and what they claim of it; colour and pattern: how often they are mentioned."""
    name = CLASSES[segment.category]
    words = [SYNONYMS[name] if name in SYNONYMS and r.random() < 0.3 else name]
    said = Segment(segment.category)
    if segment.colour >= 0:
        tone = segment.colour if r.random() < colour else -1
        look = segment.pattern if segment.pattern > 0 and r.random() < pattern else -1
        said = Segment(segment.category, tone, look)
        words = [tuple(COLOURS)[tone]] * (tone >= 0) + [PATTERNS[look]] * (look > 0) + words
    return " ".join(words), said


def claims(said: Sequence[Segment]) -> np.ndarray:
    """The attributes that a text asks for, float32 (WIDTH,); it is true of what has them all."""
    out = np.zeros(WIDTH, np.float32)
    for s in said:
        out[s.category] = 1
        if s.colour >= 0:
            out[COLOUR_AT + s.category * len(COLOURS) + s.colour] = 1
        if s.pattern >= 0:
            out[PATTERN_AT + s.category * len(PATTERNS) + s.pattern] = 1
    return out


def prompt(words: str, r: np.random.Generator) -> str:
    forms = PROMPTS if r.random() < 0.7 else LOOSE
    return forms[r.integers(len(forms))].format(words)


def caption(
    segment: Segment, r: np.random.Generator, colour: float = 0.5, pattern: float = 0.3
) -> tuple[str, np.ndarray]:
    """A text about one region and its claims."""
    words, said = phrase(segment, r, colour, pattern)
    return prompt(words, r), claims([said])


def picture_caption(segments: Sequence[Segment], r: np.random.Generator) -> tuple[str, np.ndarray]:
    """A text about one to three segments of a scene, things first, and its claims."""
    things = [s for s in segments if s.colour >= 0]
    stuff = [s for s in segments if s.colour < 0]
    chosen = [things[i] for i in r.permutation(len(things))[: r.integers(1, 3)]]
    parts = [phrase(s, r) for s in chosen]
    text = " and a ".join(words for words, _ in parts)
    if stuff and (not parts or r.random() < 0.6):
        ground = phrase(stuff[r.integers(len(stuff))], r)
        parts.append(ground)
        text = f"{text} on {ground[0]}" if text else ground[0]
    return prompt(text, r), claims([said for _, said in parts])


def describe(segments: Sequence[Segment], r: np.random.Generator) -> str:
    """One full sentence on a scene, for the data set's captions."""
    things = [phrase(s, r, 1, 1)[0] for s in segments if s.colour >= 0]
    stuff = [CLASSES[s.category] for s in segments if s.colour < 0]
    ground = " and ".join(stuff)
    articled = [("an " if t[0] in "aeiou" else "a ") + t for t in things]
    return " on ".join(filter(None, (" and ".join(articled), ground)))
