"""Writes an image to a card, and reads it back.

  Boards/flash write IMAGE DEVICE [--fixed-disk DEVICE]

  IMAGE     .img, or packed as .xz or .gz; of an image with a block map beside it (FILE.bmap) only those blocks are
            written that hold something
  DEVICE    a card's device, as lsblk prints it, or a file that is there, which becomes as large as the image

Refused are partitions, disks that are mounted or that the system runs from, and disks that are not removable.
--fixed-disk DEVICE allows the last.
Exit status 0: everything was read back as it was written.
"""

import errno
import hashlib
import mmap
import os
import stat
import sys
import time

from devices import Refusal, check, take
from images import PIECE, BlockMap, find_map, open_image, pieces


class Progress:
    def __init__(self, what, total):
        self.what, self.total, self.last = what, total, 0.0
        self.on_terminal = sys.stderr.isatty()

    def show(self, done, end=False):
        if not self.on_terminal or (time.monotonic() - self.last < 0.2 and not end):
            return
        self.last = time.monotonic()
        share = f"{100 * done // self.total}%" if self.total else f"{done / 1e6:.0f} MB"
        print(f"\r{self.what} {share}", end="\n" if end else "", file=sys.stderr, flush=True)


class Target:
    """The device, past the system's memory: errors have their place, and it is the card that is read back."""

    def __init__(self, path):
        self.path = path
        # A block device that somebody uses cannot be opened so.
        special = os.O_EXCL | os.O_DIRECT if stat.S_ISBLK(os.stat(path).st_mode) else 0
        try:
            self.descriptor = os.open(path, os.O_RDWR | special)
        except OSError as error:
            reason = "in use" if error.errno == errno.EBUSY else error.strerror
            raise Refusal(f"{path}: {reason}") from None
        self.is_direct = bool(special)
        # Aligned as such transfers have to be.
        self.buffer = mmap.mmap(-1, PIECE)

    def write(self, place, piece):
        count = len(piece)
        self.buffer[:count] = piece
        # An image's last sector may be a part of one.
        if self.is_direct and count % 512:
            self.buffer[count : count + 512 - count % 512] = bytes(512 - count % 512)
            count += 512 - count % 512
        done = 0
        with memoryview(self.buffer) as view:
            while done < count:
                try:
                    done += os.pwrite(self.descriptor, view[done:count], place + done)
                except OSError as error:
                    raise Refusal(f"{self.path}: cannot be written at byte {place + done}: {error.strerror}") from None

    def flush(self, place):
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise Refusal(f"{self.path}: cannot be written before byte {place}: {error.strerror}") from None
        os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def read(self, place, count):
        done = 0
        with memoryview(self.buffer) as view:
            while done < count:
                try:
                    got = os.preadv(self.descriptor, [view[done:PIECE]], place + done)
                except OSError as error:
                    raise Refusal(
                        f"{self.path}: cannot be read back at byte {place + done}: {error.strerror}"
                    ) from None
                if got == 0:
                    raise Refusal(f"{self.path}: ends at byte {place + done}")
                done += got
        return self.buffer[:count]


def wanted(source, path, block_map):
    """Pairs of place and bytes that are to be written, and the SHA-256 of the map's ranges checked on the way."""
    ranges = list(block_map.ranges) if block_map else None
    place, total = 0, hashlib.sha256()
    for piece in pieces(source, path):
        end = place + len(piece)
        if ranges is None:
            yield place, piece
        while ranges and ranges[0][0] < end:
            begin, last, expected = ranges[0]
            part = piece[max(begin - place, 0) : last - place]
            total.update(part)
            yield max(begin, place), part
            if last > end:
                break
            if expected and total.hexdigest() != expected:
                raise Refusal(f"{path}: damaged: bytes {begin} to {last} are not those of its block map")
            total = hashlib.sha256()
            ranges.pop(0)
        place = end
    if block_map and (ranges or place != block_map.size):
        raise Refusal(f"{path}: {place} bytes; its block map is for {block_map.size}")


def write(image, device, allowed):
    with open_image(image) as first:
        # Nothing is written if the image is unreadable from the start.
        start = next(pieces(first, image), b"")
    if not start:
        raise Refusal(f"{image}: empty")
    if not start[510:512] == b"\x55\xaa" and start[512:520] != b"EFI PART":
        raise Refusal(f"{image}: no partition table: not an image of a card")
    room = check(device, allowed)
    is_file = os.path.isfile(device)
    if is_file and os.path.samefile(image, device):
        raise Refusal(f"{device} is the image itself")
    block_map: BlockMap | None = find_map(image)
    size = block_map.size if block_map else os.path.getsize(image) if type(first).__name__ == "BufferedReader" else None
    if size and not is_file and size > room:
        raise Refusal(f"{device}: has {room} bytes; the image has {size}")
    target = Target(device)
    if is_file:
        os.ftruncate(target.descriptor, 0)
    sums, end, done = [], 0, 0
    progress = Progress("written", sum(last - begin for begin, last, _ in block_map.ranges) if block_map else size)
    with open_image(image) as source:
        for place, piece in wanted(source, image, block_map):
            if not is_file and place + len(piece) > room:
                raise Refusal(f"{device}: has {room} bytes, and the image has more")
            target.write(place, piece)
            sums.append((place, len(piece), hashlib.sha256(piece).digest()))
            end, done = place + len(piece), done + len(piece)
            progress.show(done)
    if is_file and block_map:
        os.ftruncate(target.descriptor, block_map.size)
    target.flush(end)
    progress.show(done, end=True)
    progress = Progress("read back", done)
    checked = 0
    for place, count, expected in sums:
        if hashlib.sha256(target.read(place, count)).digest() != expected:
            raise Refusal(
                f"{device}: reads back other bytes than were written, from byte {place} on: the card is faulty"
            )
        checked += count
        progress.show(checked)
    progress.show(checked, end=True)
    os.close(target.descriptor)
    skipped = f"; {(size - done) / 1e6:.0f} MB of holes skipped" if block_map else ""
    print(f"{device}: {done / 1e6:.0f} MB written and read back{skipped}")


def main():
    arguments = sys.argv[1:]
    if "--help" in arguments or "-h" in arguments:
        print(__doc__.strip())
        return
    allowed = take(arguments, "--fixed-disk")
    if len(arguments) != 2 or any(word.startswith("-") for word in arguments):
        raise Refusal("IMAGE and DEVICE are expected; see --help")
    if not os.path.isfile(arguments[0]):
        raise Refusal(f"{arguments[0]}: no such file")
    write(*arguments, allowed)


if __name__ == "__main__":
    try:
        main()
    except (Refusal, OSError) as refusal:
        sys.exit(f"Boards/flash write: error: {refusal}")
    except KeyboardInterrupt:
        sys.exit("\nBoards/flash write: error: interrupted; the card holds no complete image")
