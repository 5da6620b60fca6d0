"""Makes a card's image with Boards/flash, boots emulated boards from copies of it, updates them and cuts their power.

usage: appliance.py short | all [NAME...]

`short` is what Tests/run runs; NAME picks tests of `all`.
"""

import concurrent.futures
import sys
import tempfile
import time

import boots
import updates
import vendor
from bench import Bench
from machine import Failure

TESTS = {
    "boot-uefi-a53": boots.boots,
    "boot-uefi-a76": lambda bench: boots.boots(bench, processor="cortex-a76"),
    "boot-u-boot": lambda bench: boots.boots(bench, boot="u-boot"),
    "boot-raspi3b": boots.boots_raspi3b,
    "mdns": boots.mdns,
    "memory": boots.memory,
    "instructions": boots.instructions,
    "same-bytes": boots.same_bytes,
    "update": updates.updates,
    "faulty-slots": updates.faulty_slots,
    "unhealthy-slot": updates.unhealthy_slot,
    "full-card": updates.full_card,
    "bad-settings": updates.bad_settings,
    "install": vendor.install,
    "power-cuts": updates.power_cuts,
}
# Both at the same time; the second reads no JSON lines, which come to one port.
SHORT = {"update": updates.updates, "power-cuts": lambda bench: updates.power_cuts(bench, 2)}


def attempt(bench, name, test, failed):
    start = time.monotonic()
    try:
        test(bench.at(name))
    except Failure as failure:
        print(f"Tests/Appliance: {name}: {failure}", file=sys.stderr)
        failed.append(name)
    print(f"  {name}: {time.monotonic() - start:.0f} s", flush=True)


def main():
    is_short = sys.argv[1] == "short"
    tests = SHORT if is_short else {name: TESTS[name] for name in sys.argv[2:] or TESTS}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        with concurrent.futures.ThreadPoolExecutor(2 if is_short else 1) as pool:
            # An error that is no failure of a test ends all.
            list(pool.map(lambda one: attempt(bench, *one, failed), tests.items()))
    if failed:
        sys.exit("Tests/Appliance: failed: " + ", ".join(failed))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"Tests/Appliance: {failure}")
