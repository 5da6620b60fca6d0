"""CLIP's byte-pair encoding, as much of it as captions in plain English need, and the tokens that the captions use."""
from __future__ import annotations

import gzip
import re
from functools import cache
from pathlib import Path

from Scenes.captions import LOOSE, PROMPTS
from Scenes.kinds import CLASSES, COLOURS, PATTERNS, SYNONYMS

VOCABULARY = 49408
START, END = VOCABULARY - 2, VOCABULARY - 1
CONTEXT = 77
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")
MERGES = Path(__file__).resolve().parents[2] / ".build/tokenizer/bpe_simple_vocab_16e6.txt.gz"


class Tokenizer:
    """Text to ids. `path` is CLIP's merges file, which Calibration/Vocabularies/tokenizer fetches."""

    def __init__(self, path: Path = MERGES) -> None:
        if not path.exists():
            raise SystemExit(f"{path}: no merges file; Calibration/Vocabularies/tokenizer fetches it")
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1:VOCABULARY - 2 - 512 + 1]
        merges = [tuple(line.split()) for line in lines]
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        symbols = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
        self.bytes = dict(zip(printable + [b for b in range(256) if b not in printable], symbols))
        words = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges]
        self.number, self.rank = {w: i for i, w in enumerate(words)}, {m: i for i, m in enumerate(merges)}
        self.piece = cache(self._piece)

    def _piece(self, text: str) -> tuple[int, ...]:
        symbols = [self.bytes[b] for b in text.encode()]
        symbols[-1] += "</w>"
        while len(symbols) > 1:
            best = min(zip(symbols, symbols[1:]), key=lambda pair: self.rank.get(pair, 1 << 30))
            if best not in self.rank:
                break
            merged, i = [], 0
            while i < len(symbols):
                pair = tuple(symbols[i:i + 2]) == best
                merged.append("".join(best) if pair else symbols[i])
                i += 2 if pair else 1
            symbols = merged
        return tuple(self.number[s] for s in symbols)

    def __call__(self, text: str) -> list[int]:
        """-> start, tokens, end; not padded."""
        ids = [i for p in SPLIT.findall(" ".join(text.lower().split())) for i in self.piece(p)]
        return [START, *ids[:CONTEXT - 2], END]


class Words:
    """The tokens of all captions, renumbered without gaps; order is kept, so the end token stays the largest.

    Training holds token embeddings for these only. Row 0 of the original (padding) is among them.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        texts = [p.format(n) for p in (*PROMPTS, *LOOSE) for n in ("", "on", "and a")]
        texts += [*CLASSES, *SYNONYMS.values(), *COLOURS, *PATTERNS]
        self.ids = sorted({0}.union(*(tokenizer(t) for t in texts)))
        self.index = {t: i for i, t in enumerate(self.ids)}
        self.tokenizer = tokenizer

    def __len__(self) -> int:
        return len(self.ids)

    def __call__(self, texts: list[str]) -> list[list[int]]:
        """Texts -> rows of equal length, padded with 0."""
        rows = [[self.index[t] for t in self.tokenizer(text)] for text in texts]
        length = max(map(len, rows))
        return [r + [0] * (length - len(r)) for r in rows]
