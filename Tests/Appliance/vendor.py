"""The service in a vendor's image."""

import os
import time

from bench import DEMO
from machine import ROOT, Card, Machine, expect, run


def install(bench):
    """Into an image that stands in for a vendor's, which is booted: cloud-init applies settings, systemd starts it."""
    image, output = os.path.join(bench.folder, "vendor.img"), os.path.join(bench.folder, "installed.img")
    run(os.path.join(ROOT, "Tests/Flash/vendor"), image)
    config = bench.file("config", bench.options)
    model = ["--model", f"{DEMO}/model.gguf", "--vocab", f"{DEMO}/vocabulary.gguf"]
    flash = [os.path.join(ROOT, "Boards/flash"), "install"]
    said = run(*flash, image, *model, "--config", config, "--settings", bench.settings, "--output", output)
    expect(
        "starts at power-on as user fcclip-edge" in said and "cloud-init applies them" in said, f"not installed: {said}"
    )
    print("install: " + said.strip().replace(bench.folder + "/", "").replace("\n", "; "))
    again = run(*flash, output, *model, "--output", os.path.join(bench.folder, "twice.img"), status=1)
    expect("fcclip-edge is in it already" in again, f"installed twice: {again}")
    none = run(*flash, bench.image, *model, "--output", os.path.join(bench.folder, "none.img"), status=1)
    expect("no ext4 partition with systemd in it" in none, f"not refused: {none}")
    os.remove(image)
    with Machine(
        Card(output, os.path.join(bench.folder, "card.img")),
        bench.folder,
        bench.key,
        boot="u-boot",
        more=["-m", "1024"],
        seconds=900,
    ) as machine:
        found = bench.lines.next(machine)
        expect(found["segments"], "no segments")
        seconds = time.monotonic() - machine.start
        said = machine.ssh(
            "hostname; systemctl is-active fcclip-edge; ps -o user= -p $(systemctl show -p MainPID --value fcclip-edge)"
        )
        # ps shortens the name.
        expect(
            said.split()[:2] == ["robot", "active"] and said.split()[2].startswith("fcclip"),
            f"not as installed: {said}",
        )
    print(
        f"the vendor's image, by U-Boot: JSON over UDP after {seconds:.0f} s; host name and key by cloud-init; "
        f"the service runs as {said.split()[-1]}"
    )
