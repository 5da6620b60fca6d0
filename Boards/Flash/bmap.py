"""Prints the block map (bmap-tools, format 2.0) of a card's image: which blocks hold something.

usage: bmap.py IMAGE

IMAGE has a FAT32 file system in its first partition and nothing elsewhere but the partition table. Used are the tables
and the clusters that these say belong to files; a hole in the image's file would not do, because a file's own zeros may
be one.
"""

import hashlib
import os
import struct
import sys

BLOCK = 4096


def used(image):
    """Byte ranges of the image that hold something, in order."""
    image.seek(446 + 8)
    start = struct.unpack("<I", image.read(4))[0] * 512
    image.seek(start)
    boot = image.read(512)
    sector, per_cluster, reserved, tables = struct.unpack("<HBHB", boot[11:17])
    table_sectors = struct.unpack("<I", boot[36:40])[0]
    yield 0, 512
    data = start + (reserved + tables * table_sectors) * sector
    yield start, data
    image.seek(start + reserved * sector)
    table = image.read(table_sectors * sector)
    size = per_cluster * sector
    for number, (entry,) in enumerate(struct.iter_unpack("<I", table)):
        if number >= 2 and entry & 0x0FFFFFFF:
            yield data + (number - 2) * size, data + (number - 1) * size


def main():
    path = sys.argv[1]
    total = os.path.getsize(path)
    ranges = []
    with open(path, "rb") as image:
        for begin, end in used(image):
            first, last = begin // BLOCK, min((end - 1) // BLOCK, (total - 1) // BLOCK)
            if ranges and first <= ranges[-1][1] + 1:
                ranges[-1][1] = max(last, ranges[-1][1])
            else:
                ranges.append([first, last])
        lines = []
        for first, last in ranges:
            image.seek(first * BLOCK)
            total_sum = hashlib.sha256()
            left = min((last + 1) * BLOCK, total) - first * BLOCK
            while left:
                piece = image.read(min(left, 1 << 20))
                total_sum.update(piece)
                left -= len(piece)
            name = str(first) if first == last else f"{first}-{last}"
            lines.append(f'        <Range chksum="{total_sum.hexdigest()}">{name}</Range>')
    text = f"""<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize>{total}</ImageSize>
    <BlockSize>{BLOCK}</BlockSize>
    <BlocksCount>{(total + BLOCK - 1) // BLOCK}</BlocksCount>
    <MappedBlocksCount>{sum(last - first + 1 for first, last in ranges)}</MappedBlocksCount>
    <ChecksumType>sha256</ChecksumType>
    <BmapFileChecksum>{"0" * 64}</BmapFileChecksum>
    <BlockMap>
{chr(10).join(lines)}
    </BlockMap>
</bmap>
"""
    # The format's own sum is taken with zeros in its place.
    print(text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1), end="")


if __name__ == "__main__":
    main()
