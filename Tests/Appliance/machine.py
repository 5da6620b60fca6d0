"""An emulated board that starts from a card's image, and what the tests ask of it."""

import json
import os
import re
import signal
import socket
import subprocess
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
# The console's lines of the appliance.
HEALTHY = r"appliance: slot (.), version (\S+), is healthy"


class Failure(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failure(text)


def run(*command, status=0, **options):
    """Output and error output of a command that must end with this status."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    expect(result.returncode == status, f"{' '.join(command)}: status {result.returncode}: {result.stdout[-600:]}")
    return result.stdout


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Card:
    """A copy of an image, and the files on its FAT partition."""

    def __init__(self, image, path):
        self.path = path
        run("cp", "--sparse=always", image, path)

    @property
    def partition(self):
        return f"{self.path}@@4M"

    def put(self, name, text):
        """Writes a file of text."""
        subprocess.run(["mcopy", "-o", "-i", self.partition, "-", "::" + name], input=text.encode(), check=True)

    def get(self, name, path):
        run("mcopy", "-n", "-o", "-i", self.partition, "::" + name, path)

    def remove(self, name):
        run("mdeltree", "-i", self.partition, "::" + name)

    def text(self, name):
        return run("mtype", "-i", self.partition, "::" + name)


class Machine:
    """A running board. `boot`: how it starts, a key of BOOTS."""

    def __init__(self, card, folder, key, boot="uefi", processor="cortex-a53", net=None, more=(), seconds=300):
        self.card, self.key, self.seconds = card, key, seconds
        self.port = free_port(socket.SOCK_STREAM)
        self.log = os.path.join(folder, "console.log")
        net = net or f"user,id=n,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        command = ["qemu-system-aarch64", "-m", "512", "-display", "none", "-no-reboot", "-netdev", net]
        if boot == "raspi3b":
            command += raspberry_pi(card, folder)
        else:
            firmware = os.path.join(run(os.path.join(FOLDER, "firmware")).split()[-1], BIOS[boot])
            command += [
                "-M",
                "virt" if boot == "uefi" else "virt,acpi=off",
                "-cpu",
                processor,
                "-bios",
                firmware,
                "-serial",
                "stdio",
            ]
            command += ["-drive", f"file={card.path},format=raw,if=virtio"]
            command += ["-device", "virtio-net-pci,netdev=n,romfile=", "-device", "i6300esb"]
        output = open(self.log, "wb")
        self.process = subprocess.Popen(
            command + list(more), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        output.close()
        self.start, self.is_reached = time.monotonic(), False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """The power goes off."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def console(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def until(self, pattern):
        """Waits for a line of the console."""
        while not (found := re.search(pattern, self.console())):
            expect(self.process.poll() is None, f"the emulator ended: {self.console()[-600:]}")
            expect(
                time.monotonic() - self.start < self.seconds,
                f"no '{pattern}' within {self.seconds} s: {self.console()[-1500:]}",
            )
            time.sleep(0.2)
        return found

    def reach(self):
        """Waits until the board answers to SSH."""
        while not self.is_reached:
            try:
                run("ssh", *self.options(), "root@127.0.0.1", "true")
                self.is_reached = True
            except Failure:
                expect(time.monotonic() - self.start < self.seconds, f"no SSH by key: {self.console()[-600:]}")
                time.sleep(2)

    def ssh(self, command, status=0):
        self.reach()
        return run("ssh", *self.options(), "root@127.0.0.1", command, status=status).strip()

    def options(self):
        return [
            *("-p", str(self.port), "-i", self.key, "-F", "none", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
            *("-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "ConnectTimeout=60"),
        ]

    def deploy(self, *arguments, status=0):
        self.reach()
        deploy = os.path.join(ROOT, "Boards/deploy")
        demo = os.path.join(ROOT, "Calibration/Demo")
        files = {"--model": f"{demo}/model.gguf", "--vocab": f"{demo}/vocabulary.gguf"}
        files.update(zip(arguments[::2], arguments[1::2], strict=True))
        flat = [word for pair in files.items() for word in pair]
        return run(deploy, "root@127.0.0.1", *flat, "--", *self.options(), status=status).strip()


BIOS = {"uefi": "QEMU_EFI.fd", "u-boot": "u-boot.bin"}


def raspberry_pi(card, folder):
    """What the Pi's firmware would do with the card: kernel, initramfs and command line as config.txt names them."""
    config = dict(
        line.replace(" ", "=", 1).split("=", 1)
        for line in card.text("config.txt").splitlines()
        if line and line[0] != "#"
    )
    kernel, initramfs = config["kernel"], config["initramfs"].split("=")[-1].split()[0]
    for name in (kernel, initramfs, "bcm2837-rpi-3-b.dtb"):
        card.get(name, folder)
    # The emulated Pi's watchdog resets it as soon as it is started.
    command_line = card.text("cmdline.txt").strip() + " watchdog=off"
    size = 1
    while size < os.path.getsize(card.path):
        size *= 2
    os.truncate(card.path, size)
    return [
        *("-M", "raspi3b", "-m", "1024", "-dtb", f"{folder}/bcm2837-rpi-3-b.dtb", "-kernel", f"{folder}/{kernel}"),
        *("-initrd", f"{folder}/{initramfs}", "-append", command_line, "-serial", "null", "-serial", "stdio"),
        *("-drive", f"file={card.path},format=raw,if=sd", "-device", "usb-net,netdev=n"),
    ]


class Lines:
    """The host's end of the board's JSON lines: datagrams to its gateway, 10.0.2.2, arrive on this machine."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def next(self, machine):
        """The next line; those that came before are dropped."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(65536):
                pass
        except BlockingIOError:
            pass
        self.socket.settimeout(1)
        while True:
            try:
                text = self.socket.recv(65536)
                break
            except TimeoutError:
                expect(machine.process.poll() is None, f"the emulator ended: {machine.console()[-600:]}")
                waited = time.monotonic() - machine.start
                expect(waited < machine.seconds, f"no JSON line within {machine.seconds} s: {machine.console()[-800:]}")
        found = json.loads(text)
        expect(found["schema"] and "segments" in found, f"not a line of segments: {text[:200]}")
        return found
