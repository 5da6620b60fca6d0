"""Boards that start from the card, each in another way, and what they cost.

Each test takes the bench and prints what it found.
"""

import os
import re
import socket
import struct
import time

from bench import digest
from machine import HEALTHY, ROOT, Failure, expect, free_port, run


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
        print(
            f"{boot}, {processor}: JSON over UDP after {seconds:.0f} s ({names}), SSH by key, watchdog fed, "
            "the card unchanged"
        )


def boots_raspi3b(bench):
    card = bench.card()
    with bench.boot(card, boot="raspi3b", seconds=600) as machine:
        bench.lines.next(machine)
        seconds = time.monotonic() - machine.start
        machine.until(HEALTHY)
        said = machine.ssh("cat /proc/device-tree/model; uname -m")
        print(f"raspi3b ({said.split(chr(0))[0]}), as config.txt says: JSON over UDP after {seconds:.0f} s, SSH by key")


def memory(bench):
    card = bench.card()
    with bench.boot(card) as machine:
        machine.until(HEALTHY)
        machine.ssh(
            "echo none >/run/wanted; killall supervise; while pidof fcclip-edge; do sleep 1; done; "
            "sync; echo 3 > /proc/sys/vm/drop_caches; sleep 2"
        )
        found = dict(re.findall(r"(\w+): +(\d+) kB", machine.ssh("cat /proc/meminfo")))
        held = (int(found["MemTotal"]) - int(found["MemAvailable"])) / 1000
        expect(held <= 60, f"the system holds {held:.0f} MB; 60 are allowed: {found}")
        print(
            f"memory held by the system without the program: {held:.0f} MB of {int(found['MemTotal']) / 1000:.0f} MB; "
            "the kernel keeps the rest of 537 MB"
        )


def instructions(bench):
    plugin = os.path.join(bench.folder, "libinstructions.so")
    run("cc", "-O2", "-fPIC", "-shared", "-o", plugin, os.path.join(ROOT, "Tests/Appliance/instructions.c"))
    count = os.path.join(bench.folder, "count")
    with bench.boot(bench.card(), more=["-plugin", plugin, "-d", "plugin", "-D", count], seconds=900) as machine:
        bench.lines.next(machine)
        machine.process.terminate()
        machine.process.wait()
    with open(count) as file:
        print(
            f"from power-on (UEFI included) to the first JSON line: {int(file.read()) / 1e9:.1f} G instructions "
            "on an emulated cortex-a53"
        )


def same_bytes(bench):
    other = os.path.join(bench.folder, "other.img")
    bench.make(other)
    expect(digest(other) == digest(bench.image), "the image has other bytes when made again")
    os.remove(other)
    print("made again: the same bytes")


def mdns(bench):
    """The board's name by multicast DNS, without a DHCP server. This side sends and receives Ethernet frames."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(2)
        board = free_port(socket.SOCK_DGRAM)
        net = f"socket,id=n,udp=127.0.0.1:{wire.getsockname()[1]},localaddr=127.0.0.1:{board}"
        with bench.boot(bench.card(), net=net) as machine:
            address = machine.until(r"has the address (169\.254\.\d+\.\d+)/16; robot.local")[1]
            while time.monotonic() - machine.start < machine.seconds:
                wire.sendto(mdns_query("robot.local"), ("127.0.0.1", board))
                try:
                    frame = wire.recv(2000)
                except TimeoutError:
                    continue
                # From port 5353, with the address as the answer.
                if frame[34:36] == struct.pack(">H", 5353) and socket.inet_aton(address) in frame[42:]:
                    print(f"without a DHCP server: robot.local answers {address} by multicast DNS")
                    return
        raise Failure("no answer by multicast DNS")


def mdns_query(name):
    """An Ethernet frame that asks for a name's address."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    question = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + labels + struct.pack(">2H", 1, 1)
    datagram = struct.pack(">4H", 5353, 5353, 8 + len(question), 0) + question
    header = struct.pack(
        ">2B3H2BH4s4s",
        0x45,
        0,
        20 + len(datagram),
        0,
        0,
        255,
        17,
        0,
        socket.inet_aton("169.254.9.9"),
        socket.inet_aton("224.0.0.251"),
    )
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + header[12:]
    return bytes.fromhex("01005e0000fb 020000000099 0800") + header + datagram
