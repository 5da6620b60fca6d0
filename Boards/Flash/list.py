"""Prints entries of images for Raspberry Pi Imager, and the images' sums.

  Boards/flash list IMAGE... [--url URL]

  IMAGE    .img, or packed as .xz or .gz
  --url    where the images will lie; default: the files on this machine

The repository (JSON, "os_list") goes to standard output: Imager reads it with `rpi-imager --repo FILE`. Lines for
`sha256sum -c` go to standard error.
"""

import datetime
import hashlib
import json
import os
import sys

from devices import Refusal, take
from images import open_image, pieces


def entry(path, url):
    packed = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in pieces(file, path):
            packed.update(piece)
    unpacked, size = hashlib.sha256(), 0
    with open_image(path) as image:
        for piece in pieces(image, path):
            unpacked.update(piece)
            size += len(piece)
    print(f"{packed.hexdigest()}  {path}", file=sys.stderr)
    name = os.path.basename(path)
    return {
        "name": f"fcclip-edge ({name})",
        "description": "Names every segment of a camera's frames, from power-on",
        "icon": "",
        "url": f"{url.rstrip('/')}/{name}" if url else "file://" + os.path.realpath(path),
        "extract_size": size,
        "extract_sha256": unpacked.hexdigest(),
        "image_download_size": os.path.getsize(path),
        "image_download_sha256": packed.hexdigest(),
        "release_date": datetime.datetime.fromtimestamp(os.path.getmtime(path), datetime.UTC).strftime("%Y-%m-%d"),
        "init_format": "rpi-preseed",
        "devices": ["pi3-64bit", "pi4-64bit"],
    }


def main():
    arguments = sys.argv[1:]
    if not arguments or "--help" in arguments or "-h" in arguments:
        print(__doc__.strip())
        sys.exit(0 if arguments else 1)
    url = take(arguments, "--url")
    for path in arguments:
        if not os.path.isfile(path):
            raise Refusal(f"{path}: no such file")
    print(json.dumps({"os_list": [entry(path, url) for path in arguments]}, indent=2))


if __name__ == "__main__":
    try:
        main()
    except (Refusal, OSError) as refusal:
        sys.exit(f"Boards/flash list: error: {refusal}")
