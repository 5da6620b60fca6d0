"""Images of cards: plain, .xz or .gz, and their block maps (.bmap, of bmap-tools)."""

import gzip
import hashlib
import lzma
import os
import re
import xml.etree.ElementTree
import zlib

from devices import Refusal

PIECE = 1 << 20
# What goes wrong in a compressed image.
DAMAGE = (OSError, EOFError, lzma.LZMAError, zlib.error)


def open_image(path):
    """The image's bytes, unpacked."""
    with open(path, "rb") as file:
        start = file.read(6)
    if start == b"\xfd7zXZ\0":
        return lzma.open(path)
    if start[:2] == b"\x1f\x8b":
        return gzip.open(path)
    return open(path, "rb")


def pieces(image, path):
    """The image's bytes, in pieces of at most 1 MiB."""
    while True:
        try:
            piece = image.read(PIECE)
        except DAMAGE as error:
            raise Refusal(f"{path}: damaged: {error}") from None
        if not piece:
            return
        yield piece


class BlockMap:
    """Which blocks of an image hold something, and the SHA-256 of each range."""

    def __init__(self, path):
        try:
            with open(path, "rb") as file:
                text = file.read()
            tree = xml.etree.ElementTree.fromstring(text)
            self.size, self.block = int(tree.findtext("ImageSize")), int(tree.findtext("BlockSize"))
            sums = tree.findtext("BmapFileChecksum").strip()
            kind = tree.findtext("ChecksumType").strip()
            self.ranges = []
            for one in tree.find("BlockMap"):
                first, _, last = one.text.strip().partition("-")
                begin, end = int(first) * self.block, min((int(last or first) + 1) * self.block, self.size)
                self.ranges.append((begin, end, one.get("chksum")))
        except (OSError, AttributeError, TypeError, ValueError, xml.etree.ElementTree.ParseError) as error:
            raise Refusal(f"{path}: not a block map: {error}") from None
        if kind != "sha256":
            raise Refusal(f"{path}: sums of kind {kind}; sha256 is expected")
        if hashlib.sha256(text.replace(sums.encode(), b"0" * len(sums), 1)).hexdigest() != sums:
            raise Refusal(f"{path}: damaged: its own SHA-256 is another")
        ends = [0] + [end for _, end, _ in self.ranges]
        if self.block < 1 or any(
            begin < before or begin >= end for (begin, end, _), before in zip(self.ranges, ends, strict=False)
        ):
            raise Refusal(f"{path}: not a block map: ranges that are not in order")


def find_map(image):
    """The block map beside an image, or None: card.img.bmap or card.bmap, for card.img.xz too."""
    plain = re.sub(r"\.(xz|gz)$", "", image)
    for path in (image + ".bmap", plain + ".bmap", re.sub(r"\.[^./]*$", "", plain) + ".bmap"):
        if os.path.isfile(path):
            return BlockMap(path)
    return None
