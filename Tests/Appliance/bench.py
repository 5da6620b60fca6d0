"""What all tests of the appliance share."""

import copy
import hashlib
import os
import re
import time

from machine import ROOT, Card, Lines, Machine, expect, run

DEMO = os.path.join(ROOT, "Calibration/Demo")
CAMERA = "vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0 no_error_inj=1\n"


class Bench:
    """What all tests share: the image, a key, and the host's end of the JSON lines."""

    def __init__(self, folder):
        self.folder, self.lines = folder, Lines()
        self.key = os.path.join(folder, "key")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        with open(self.key + ".pub") as file:
            public = file.read().strip()
        self.settings = self.file(
            "settings.toml", f'[system]\nhostname = "robot"\n[ssh]\nenabled = true\nauthorized_keys = ["{public}"]\n'
        )
        self.options = f"camera /dev/video0\ncapture-size 320x180\nno-masks\njson udp://10.0.2.2:{self.lines.port}\n"
        self.image = os.path.join(folder, "appliance.img")
        self.make(self.image)

    def at(self, name):
        """The same in a folder of its own, for tests that run at the same time."""
        other = copy.copy(self)
        other.folder = os.path.join(self.folder, name)
        os.mkdir(other.folder)
        return other

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def make(self, output):
        start = time.monotonic()
        config = self.file("config", self.options)
        flash = [
            os.path.join(ROOT, "Boards/flash"),
            "appliance",
            "--model",
            f"{DEMO}/model.gguf",
            "--vocab",
            f"{DEMO}/vocabulary.gguf",
        ]
        said = run(*flash, "--config", config, "--settings", self.settings, "--output", output).strip().splitlines()[-1]
        size = os.path.getsize(output) - 2 * sum(
            os.path.getsize(f"{DEMO}/{name}.gguf") for name in ("model", "vocabulary")
        )
        expect(size <= 200e6, f"the image has {size} bytes without model; 200 MB are allowed")
        print(
            f"image: {said.removeprefix(self.folder + '/')}; {size / 1e6:.0f} MB without model, "
            f"made in {time.monotonic() - start:.0f} s"
        )

    def card(self, camera=True):
        card = Card(self.image, os.path.join(self.folder, "card.img"))
        if camera:
            card.put("modules.txt", CAMERA)
        return card

    def boot(self, card, **options):
        return Machine(card, self.folder, self.key, **options)

    def sums(self, config):
        """Lines with the SHA-256 of each file of the version that these options make with the demo model."""
        program = os.path.join(ROOT, ".build-aarch64/fcclip-edge")
        files = {"fcclip-edge": program, "fcclip-edge.conf": config, "sample.png": f"{DEMO}/pictures/000121.png"}
        files |= {name: f"{DEMO}/{name}" for name in ("model.gguf", "vocabulary.gguf")}
        return "".join(f"{digest(files[name])}  {name}\n" for name in sorted(files))

    def version(self, config):
        """The version's name."""
        return hashlib.sha256(self.sums(config).encode()).hexdigest()[:12]

    def manifest(self, config, serial):
        lines = f"serial {serial}\nversion {self.version(config)}\n{self.sums(config)}"
        return lines + hashlib.sha256(lines.encode()).hexdigest() + "\n"


def version_of(said):
    return re.search(r"version (\w+)", said)[1]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
