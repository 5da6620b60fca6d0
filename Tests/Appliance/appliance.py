"""Makes a card's image with Boards/flash, boots emulated boards from copies of it, updates them and cuts their power.

usage: appliance.py short | all [NAME...]

`short` is what Tests/run runs; NAME picks tests of `all`.
"""

import hashlib
import os
import random
import re
import sys
import tempfile
import threading
import time

from machine import HEALTHY, ROOT, Card, Failure, Lines, Machine, expect, run

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
        self.settings = self.file("settings.toml", f'[system]\nhostname = "robot"\n[ssh]\nenabled = true\nauthorized_keys = ["{public}"]\n')
        self.options = f"camera /dev/video0\ncapture-size 320x180\nno-masks\njson udp://10.0.2.2:{self.lines.port}\n"
        self.image = os.path.join(folder, "appliance.img")
        self.make(self.image)

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def make(self, output):
        start = time.monotonic()
        config = self.file("config", self.options)
        flash = [os.path.join(ROOT, "Boards/flash"), "appliance", "--model", f"{DEMO}/model.gguf", "--vocab", f"{DEMO}/vocabulary.gguf"]
        said = run(*flash, "--config", config, "--settings", self.settings, "--output", output).strip().splitlines()[-1]
        size = os.path.getsize(output) - 2 * sum(os.path.getsize(f"{DEMO}/{name}.gguf") for name in ("model", "vocabulary"))
        expect(size <= 200e6, f"the image has {size} bytes without model; 200 MB are allowed")
        print(f"image: {said.removeprefix(self.folder + '/')}; {size / 1e6:.0f} MB without model, made in {time.monotonic() - start:.0f} s")

    def card(self, camera=True):
        card = Card(self.image, os.path.join(self.folder, "card.img"))
        if camera:
            card.put("modules.txt", CAMERA)
        return card

    def boot(self, card, **options):
        return Machine(card, self.folder, self.key, **options)

    def version(self, config):
        """The name of the version that these options make with the demo model."""
        program = os.path.join(ROOT, ".build-aarch64/fcclip-edge")
        files = {"fcclip-edge": program, "fcclip-edge.conf": config, "sample.png": f"{DEMO}/pictures/000121.png"}
        files |= {name: f"{DEMO}/{name}" for name in ("model.gguf", "vocabulary.gguf")}
        sums = "".join(f"{digest(files[name])}  {name}\n" for name in sorted(files))
        return hashlib.sha256(sums.encode()).hexdigest()[:12]


def version_of(said):
    return re.search(r"version (\w+)", said)[1]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Tests: each takes the bench and prints what it found.


def boots(bench, boot="uefi", processor="cortex-a53"):
    """Service up, JSON over UDP, SSH by key, and not a byte of the card changed."""
    card = bench.card()
    with bench.boot(card, boot=boot, processor=processor) as machine:
        before = digest(card.path)
        found = bench.lines.next(machine)
        seconds = time.monotonic() - machine.start
        machine.until(HEALTHY)
        said = machine.ssh("hostname; cat /sys/class/watchdog/watchdog0/state /etc/os-release")
        expect(said.startswith("robot\nactive\n"), f"not the host name and a fed watchdog: {said}")
        machine.kill()
        expect(digest(card.path) == before, "the card was written to without an update")
        names = ", ".join(sorted({segment["name"] for segment in found["segments"]})[:3])
        print(f"{boot}, {processor}: JSON over UDP after {seconds:.0f} s ({names}), SSH by key, watchdog fed, the card unchanged")


def boots_raspi3b(bench):
    card = bench.card()
    with bench.boot(card, boot="raspi3b", seconds=600) as machine:
        bench.lines.next(machine)
        seconds = time.monotonic() - machine.start
        machine.until(HEALTHY)
        said = machine.ssh("cat /proc/device-tree/model; uname -m")
        print(f"raspi3b ({said.split(chr(0))[0]}), as config.txt says: JSON over UDP after {seconds:.0f} s, SSH by key")


def updates(bench):
    """Deploys a new version, the same again, and two that are refused or left."""
    card = bench.card()
    new = bench.file("new.conf", bench.options + "# another\n")
    blind = bench.file("blind.conf", "camera /dev/video9\n")
    none = bench.file("none.gguf", "no model")
    with bench.boot(card, seconds=900) as machine:
        first = machine.until(HEALTHY)[2]
        said = machine.deploy()
        expect(f"version {first} is there already" in said, f"not there already: {said}")
        said = machine.deploy("--config", new)
        second = version_of(said)
        expect(f"kernels, runs; version {first} is kept" in said, f"not updated: {said}")
        bench.lines.next(machine)
        said = machine.deploy("--model", none, status=1)
        expect("refused: " in said and f"version {second} stays" in said, f"not refused: {said}")
        said = machine.deploy("--config", blind, status=1)
        expect(f"does not report healthy (" in said and f"version {second} runs again" in said, f"not rolled back: {said}")
        bench.lines.next(machine)
        expect(machine.ssh("grep ' /card ' /proc/mounts").split()[3].startswith("ro"), "the card stays mounted for writing")
        key = machine.ssh("dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key | grep ^ssh")
        machine.kill()
    with bench.boot(card) as machine:
        found = machine.until(HEALTHY)
        expect(found[2] == second, f"version {found[2]} after a cold start, not {second}")
        expect(machine.ssh("dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key | grep ^ssh") == key, "the host key was not kept")
    print(f"deploy: {first} to {second}; refused a file that is no model; left a version without frames and ran {second} again, also after a cold start")


def power_cuts(bench, count=20):
    """Cuts the power at random moments of an update: every boot is healthy, with the old version or the new one whole."""
    card, chance, outcomes, seconds = bench.card(), random.Random(), {"old": 0, "new": 0}, None
    old = new = None
    for number in range(count + 1):
        with bench.boot(card, seconds=900) as machine:
            found = machine.until(HEALTHY)[2]
            if number:
                expect(found in (old, new), f"version {found} after cut {number}, neither {old} nor {new}")
                outcomes["old" if found == old else "new"] += 1
            if number == count:
                break
            if seconds is None:
                # One in peace tells how long it takes.
                start = time.monotonic()
                found = version_of(machine.deploy("--config", bench.file("peace.conf", bench.options + "# in peace\n")))
                seconds = time.monotonic() - start
            config = bench.file("cut.conf", bench.options + f"# {number}\n")
            old, new = found, bench.version(config)
            update = threading.Thread(target=deploy_and_lose, args=[machine, config])
            update.start()
            # Its last third only waits for the new version's health.
            time.sleep(chance.uniform(0, seconds * 2 / 3))
            machine.kill()
            update.join()
    print(f"{count} power cuts within {seconds * 2 / 3:.0f} s of updates that take {seconds:.0f} s: {count} healthy boots, {outcomes['old']} old and {outcomes['new']} new versions")


def deploy_and_lose(machine, config):
    try:
        machine.deploy("--config", config)
    except Failure:
        pass


def power_cuts_short(bench):
    power_cuts(bench, 2)


def faulty_slots(bench):
    """Slots that are damaged, missing or both: the board says so and runs what there is."""
    card = bench.card()
    card.put("a/vocabulary.gguf", "damaged")
    with bench.boot(card) as machine:
        machine.until("slot a has a damaged or missing file: vocabulary.gguf")
        expect(machine.until(HEALTHY)[1] == "b", "slot b does not run")
    card = bench.card()
    card.remove("b")
    with bench.boot(card, seconds=900) as machine:
        machine.until("slot b has no manifest")
        expect(machine.until(HEALTHY)[1] == "a", "slot a does not run")
        said = machine.deploy("--config", bench.file("new.conf", bench.options + "# new\n"))
        expect("runs" in said, f"the missing slot was not written: {said}")
    card = bench.card()
    card.put("a/manifest", "serial 9\n")
    card.remove("b/model.gguf")
    with bench.boot(card, seconds=900) as machine:
        machine.until("slot a has a damaged manifest")
        machine.until("slot b has a damaged or missing file: model.gguf")
        machine.until("no slot holds: nothing to run")
        machine.until("has the address")
        said = machine.deploy("--config", bench.file("new.conf", bench.options + "# new\n"))
        expect("runs" in said, f"a card without slots was not repaired: {said}")
    print("a damaged slot, a missing slot, no slot at all: each said, and the last two repaired by deploy")


def full_card(bench):
    card = bench.card()
    free = int(re.search(r"([\d ]+) bytes free", run("mdir", "-i", card.partition, "::"))[1].replace(" ", ""))
    filler = bench.file("filler", "")
    os.truncate(filler, free - (2 << 20))
    run("mcopy", "-i", card.partition, filler, "::")
    with bench.boot(card, seconds=900) as machine:
        old = machine.until(HEALTHY)[2]
        # Larger than the old slot: the demo's model behind 32 MB.
        large = os.path.join(bench.folder, "large.gguf")
        run("cp", f"{DEMO}/model.gguf", large)
        os.truncate(large, 32 << 20)
        said = machine.deploy("--model", large, status=1)
        expect("No space left" in said and f"version {old} stays" in said, f"not refused: {said}")
        machine.kill()
    with bench.boot(card) as machine:
        machine.until(HEALTHY)
    print(f"a full card: {said.split(': ', 2)[2]}; boots again")


def bad_settings(bench):
    card = bench.card()
    card.put("rpi-preseed.toml", 'system]\n[system]\nhostname = "no such"\n[user]\npassword = "x"\n[ssh]\nauthorized_keys = [\n"')
    with open(bench.key + ".pub") as file:
        card.put("authorized_keys", file.read())
    with bench.boot(card) as machine:
        machine.until("rpi-preseed.toml: line 1: ")
        machine.until("system.hostname: not a name of a host: fcclip instead")
        machine.until("user.password: not applied here")
        machine.until(HEALTHY)
        expect(machine.ssh("hostname") == "fcclip", "not the standard host name")
    print("settings that are none: each said; the board runs, with the key of authorized_keys")


def memory(bench):
    card = bench.card()
    with bench.boot(card) as machine:
        machine.until(HEALTHY)
        machine.ssh("kill -STOP 1; killall supervise; while pidof fcclip-edge; do sleep 1; done; sync; echo 3 > /proc/sys/vm/drop_caches; sleep 2")
        found = dict(re.findall(r"(\w+): +(\d+) kB", machine.ssh("cat /proc/meminfo")))
        held = (int(found["MemTotal"]) - int(found["MemAvailable"])) / 1000
        expect(held <= 60, f"the system holds {held:.0f} MB; 60 are allowed")
        print(f"memory held by the system without the program: {held:.0f} MB of {int(found['MemTotal']) / 1000:.0f}; the kernel keeps the rest of 537 MB")


def instructions(bench):
    plugin = os.path.join(bench.folder, "libinstructions.so")
    run("cc", "-O2", "-fPIC", "-shared", "-o", plugin, os.path.join(ROOT, "Tests/Appliance/instructions.c"))
    count = os.path.join(bench.folder, "count")
    with bench.boot(bench.card(), more=["-plugin", plugin, "-d", "plugin", "-D", count], seconds=900) as machine:
        bench.lines.next(machine)
        machine.process.terminate()
        machine.process.wait()
    with open(count) as file:
        print(f"from power-on (UEFI included) to the first JSON line: {int(file.read()) / 1e9:.1f} G instructions on an emulated cortex-a53")


def same_bytes(bench):
    other = os.path.join(bench.folder, "other.img")
    bench.make(other)
    expect(digest(other) == digest(bench.image), "the image has other bytes when made again")
    os.remove(other)
    print("made again: the same bytes")


TESTS = {
    "boot-uefi-a53": boots,
    "boot-uefi-a76": lambda bench: boots(bench, processor="cortex-a76"),
    "boot-u-boot": lambda bench: boots(bench, boot="u-boot"),
    "boot-raspi3b": boots_raspi3b,
    "update": updates,
    "faulty-slots": faulty_slots,
    "full-card": full_card,
    "bad-settings": bad_settings,
    "memory": memory,
    "instructions": instructions,
    "same-bytes": same_bytes,
    "power-cuts": power_cuts,
}


def main():
    kind, names = sys.argv[1], sys.argv[2:]
    tests = {"update": updates, "power-cuts": power_cuts_short} if kind == "short" else {name: TESTS[name] for name in names or TESTS}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        for name, test in tests.items():
            start = time.monotonic()
            try:
                test(bench)
            except Failure as failure:
                sys.exit(f"Tests/Appliance: {name}: {failure}")
            print(f"  {name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
