"""The demo's tokenizer: CLIP's byte-pair encoding with merges learnt from the demo's own captions.

python -m DemoModel.tokenizer          learns the merges again and writes merges.txt   (run in Calibration/)
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

from Scenes.captions import LOOSE, PROMPTS
from Scenes.kinds import CLASSES, COLOURS, PATTERNS, SYNONYMS

CONTEXT = 77
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")
MERGES = Path(__file__).with_name("merges.txt")
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
OTHERS = [b for b in range(256) if b not in PRINTABLE]
SYMBOLS = [chr(b) for b in PRINTABLE] + [chr(256 + n) for n in range(len(OTHERS))]  # of tokens 0 to 255
BYTES = dict(zip(PRINTABLE + OTHERS, SYMBOLS))
Pair = tuple[str, str]


def pieces(text: str) -> list[str]:
    """Lower-case words and signs, as far as plain English has them."""
    return SPLIT.findall(" ".join(text.lower().split()))


def symbols(piece: str) -> list[str]:
    """One symbol a byte; the last one is marked as a word's end."""
    out = [BYTES[b] for b in piece.encode()]
    return out[:-1] + [out[-1] + "</w>"]


def join(word: list[str], pair: Pair) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(word):
        both = tuple(word[i : i + 2]) == pair
        out.append("".join(pair) if both else word[i])
        i += 2 if both else 1
    return out


class Tokenizer:
    """Texts to rows of token ids. Ids: bytes, bytes that end a word, one a merge, start of text, end of text."""

    def __init__(self, path: Path = MERGES) -> None:
        merges: list[Pair] = [tuple(line.split()) for line in path.read_text().splitlines()[1:]]
        known = SYMBOLS + [s + "</w>" for s in SYMBOLS] + ["".join(m) for m in merges]
        self.number, self.rank = {w: i for i, w in enumerate(known)}, {m: i for i, m in enumerate(merges)}
        self.start, self.end = len(known), len(known) + 1
        self.tokens = cache(self._tokens)

    def __len__(self) -> int:
        return self.end + 1

    def _tokens(self, piece: str) -> tuple[int, ...]:
        word = symbols(piece)
        while len(word) > 1:
            best = min(zip(word, word[1:]), key=lambda pair: self.rank.get(pair, len(self)))
            if best not in self.rank:
                break
            word = join(word, best)
        return tuple(self.number[s] for s in word)

    def encode(self, text: str) -> list[int]:
        """-> start, tokens, end; not padded."""
        return [self.start, *[i for p in pieces(text) for i in self.tokens(p)][: CONTEXT - 2], self.end]

    def __call__(self, texts: list[str]) -> list[list[int]]:
        """-> rows of equal length, padded with 0."""
        rows = [self.encode(t) for t in texts]
        length = max(map(len, rows))
        return [r + [0] * (length - len(r)) for r in rows]


def learn(texts: list[str]) -> list[Pair]:
    """Merges the most frequent pair of neighbours until every word is one token.

    Sennrich et al. 2016, algorithm 1.
    """
    words = {p: (symbols(p), n) for p, n in Counter(p for t in texts for p in pieces(t)).items()}
    merges: list[Pair] = []
    while True:
        pairs: Counter[Pair] = Counter()
        for word, n in words.values():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {p: (join(word, best), n) for p, (word, n) in words.items()}


def texts_to_learn_from() -> list[str]:
    names = [*CLASSES, *SYNONYMS.values()]
    texts = [p.format(n) for p in (*PROMPTS, *LOOSE) for n in names] + [*COLOURS, *PATTERNS] * len(names)
    return texts + [f"{a} on {b}" for a in names for b in ("", "and a", "an")]


def write(path: Path, texts: list[str]) -> None:
    """Learns merges from the texts and writes them in the form of CLIP's file."""
    path.write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in learn(texts)))


def main() -> None:
    write(MERGES, texts_to_learn_from())


if __name__ == "__main__":
    main()
