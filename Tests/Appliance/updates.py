"""Updates, power cuts, and cards with faults. Each test takes the bench and prints what it found."""

import os
import random
import re
import threading
import time

from bench import DEMO, version_of
from machine import HEALTHY, Failure, expect, run


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
        expect(
            "does not report healthy (" in said and f"version {second} runs again" in said, f"not rolled back: {said}"
        )
        bench.lines.next(machine)
        expect(
            machine.ssh("grep ' /card ' /proc/mounts").split()[3].startswith("ro"), "the card stays mounted for writing"
        )
        key = machine.ssh("dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key | grep ^ssh")
        machine.kill()
    with bench.boot(card) as machine:
        found = machine.until(HEALTHY)
        expect(found[2] == second, f"version {found[2]} after a cold start, not {second}")
        expect(
            machine.ssh("dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key | grep ^ssh") == key,
            "the host key was not kept",
        )
    print(
        f"deploy: {first} to {second}; refused a file that is no model; left a version without frames and ran {second} "
        "again, also after a cold start"
    )


def power_cuts(bench, count=20):
    """Cuts the power at random moments of updates: every boot is healthy, with the old version or the new one whole."""
    card, chance, outcomes, seconds = bench.card(), random.Random(), {"old": 0, "new": 0, "written": 0}, None
    old = new = None
    for number in range(count + 1):
        with bench.boot(card, seconds=900) as machine:
            found = machine.until(HEALTHY)[2]
            if number:
                expect(found in (old, new), f"version {found} after cut {number}, neither {old} nor {new}")
                outcomes["old" if found == old else "new"] += 1
                outcomes["written"] += "an update was cut off" in machine.console()
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
    print(
        f"{count} power cuts within {seconds * 2 / 3:.0f} s of updates of {seconds:.0f} s, {outcomes['written']} while "
        f"the card was written: {count} healthy boots, {outcomes['old']} with the old and {outcomes['new']} with the "
        "new version"
    )


def deploy_and_lose(machine, config):
    try:
        machine.deploy("--config", config)
    except Failure:
        pass


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
        said = machine.deploy("--config", bench.file("new.conf", bench.options + "# new\n"))
        expect("runs" in said, f"a card without slots was not repaired: {said}")
    print("a damaged slot, a missing slot, no slot at all: each said, and the last two repaired by deploy")


def unhealthy_slot(bench):
    """An update whose power was cut before it was healthy, and which never will be: tried once, then left alone."""
    card = bench.card()
    blind = bench.file("blind.conf", "camera /dev/video9\n")
    with open(blind) as file:
        card.put("a/fcclip-edge.conf", file.read())
    card.put("a/manifest", bench.manifest(blind, 9))
    card.put("a/trial", "")
    with bench.boot(card, seconds=900) as machine:
        machine.until("slot a, version .*, starts")
        machine.until("slot a, version .*, does not become healthy: /dev/video9")
        expect(machine.until(HEALTHY)[1] == "b", "slot b does not run")
        machine.kill()
    with bench.boot(card) as machine:
        machine.until("slot a, version .*, was not healthy when it was tried")
        expect(machine.until(HEALTHY)[1] == "b", "slot b does not run")
        expect("slot a, version" not in machine.console().split("was tried")[1], "slot a was started again")
    print("an update that does not become healthy: tried once, left for the other slot, not started at the next boot")


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
        expect("the card is full: slot " in said and f"version {old} stays" in said, f"not refused: {said}")
        machine.kill()
    with bench.boot(card) as machine:
        machine.until(HEALTHY)
    print(f"a full card: {said.split(': ', 2)[2]}; boots again")


def bad_settings(bench):
    card = bench.card()
    card.put(
        "rpi-preseed.toml",
        'system]\n[system]\nhostname = "no such"\n[user]\npassword = "x"\n[ssh]\nauthorized_keys = [\n"',
    )
    with open(bench.key + ".pub") as file:
        card.put("authorized_keys", file.read())
    with bench.boot(card) as machine:
        machine.until("rpi-preseed.toml: line 1: ")
        machine.until("system.hostname: not a name of a host: fcclip instead")
        machine.until("user.password: not applied here")
        machine.until(HEALTHY)
        expect(machine.ssh("hostname") == "fcclip", "not the standard host name")
    print("settings that are none: each said; the board runs, with the key of authorized_keys")
