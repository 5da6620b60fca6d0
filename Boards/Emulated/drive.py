"""Starts emulated boards, plays what is wired to their GPIO lines, and judges what they hand over.

usage: drive.py FOLDER SECONDS

FOLDER holds `vmlinuz` and `initramfs.gz`; logs and results of each board go into a subfolder with its name.
Exit status 0: both boards did everything that is expected of them within SECONDS, with the same results.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

# Processor, and the kernels that it has to choose.
BOARDS = {"cortex-a53": "neon", "cortex-a76": "dotprod"}
TRIGGER, ALARM, HEARTBEAT = 0, 1, 2
# Of each run: lines of JSON compared between boards, and what the program has to have said, in this order.
RUNS = {
    "yuyv": (1, ["/dev/video0: vivid, yuyv 640x360", r"\d+ of \d+ frames segmented"]),
    "nv12": (
        7,
        [
            "/dev/video0: vivid, nv12 320x180",
            r"lost \(no frame for 5 s\); waiting for it",
            "vivid, nv12 320x180",
            r"lost \(Input/output error\); waiting for it",
            "vivid, nv12 320x180",
            r"lost \(unplugged\); waiting for it",
            "vivid, nv12 320x180",
            # One buffer, and eight errors in a row before the stream was given up.
            "9 damaged by the camera, the camera lost 3 times",
        ],
    ),
    "mjpeg": (3, ["/dev/video1: loopback, mjpeg 256x256", "3 of .* frames segmented"]),
}
# vivid's picture stands still here: a run whose lines differ has read a damaged frame.
STILL = ["yuyv", "nv12"]


class Failure(Exception):
    pass


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Board(threading.Thread):
    """One board from power-on to power-off."""

    def __init__(self, processor, folder, seconds):
        super().__init__()
        self.processor, self.seconds = processor, seconds
        self.parts, self.folder = folder, os.path.join(folder, processor)
        self.failure, self.greeting, self.device = None, "", None
        # What the board hands over, in lines, and which file is being handed over.
        self.files, self.reading = {}, None
        # Times and levels of every output; times of the edges that it was given.
        self.outputs, self.edges = {ALARM: [], HEARTBEAT: []}, []

    def run(self):
        try:
            self.emulate()
            self.judge()
        except Failure as failure:
            self.failure = f"{self.processor}: {failure}"
        except (KeyError, OSError, ValueError) as error:
            self.failure = f"{self.processor}: not what a board hands over: {error!r}"

    # Running

    def emulate(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        # A socket's path has to be short.
        self.socket = os.path.relpath(os.path.join(self.folder, "wires"))
        # Time is counted in instructions, two nanoseconds each, and idle time takes none: every run is the same.
        start = time.monotonic()
        machine = subprocess.Popen(
            [
                "qemu-system-aarch64",
                "-M",
                "virt,dtb-randomness=off",
                "-cpu",
                self.processor,
                "-m",
                "512",
                "-nographic",
                "-no-reboot",
                "-nic",
                "none",
                "-icount",
                "shift=1,sleep=off",
                "-rtc",
                "base=2024-01-01,clock=vm",
                "-seed",
                "1",
                "-kernel",
                os.path.join(self.parts, "vmlinuz"),
                "-initrd",
                os.path.join(self.parts, "initramfs.gz"),
                "-append",
                "console=ttyAMA0 quiet panic=-1",
                "-qtest",
                f"unix:{self.socket},server=on,wait=off",
                "-qtest-log",
                "none",
                "-trace",
                "pl061_set_output",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        limit = threading.Timer(self.seconds, machine.kill)
        limit.start()
        wires = threading.Thread(target=self.watch, args=[machine.stderr])
        wires.start()
        last = ""
        try:
            with open(os.path.join(self.folder, "console.log"), "w") as log:
                for line in machine.stdout:
                    log.write(line)
                    log.flush()
                    self.follow(line.rstrip("\r\n"))
                    last = line.strip() or last
            status = machine.wait()
        finally:
            machine.kill()
            limit.cancel()
            wires.join()
        self.wall = time.monotonic() - start
        expect(self.wall < self.seconds, f"not done after {self.seconds} s; its last line: {last[:200]}")
        expect(status == 0, f"the emulator ended with status {status}: {self.talk()}")
        # A panic ends the emulator too.
        expect("reboot: Power down" in last, f"no clean power-off; its last line: {last[:200]}")

    def watch(self, stream):
        """Reads what the emulator says: changes of outputs, with the time."""
        with open(os.path.join(self.folder, "wires.log"), "w") as log:
            for line in stream:
                log.write(f"{time.monotonic():.3f} {line}")
                log.flush()
                if found := re.match(r"pl061_set_output (\S+) setting output (\d) to (\d)", line):
                    self.device = found[1]
                    if (output := int(found[2])) in self.outputs:
                        self.outputs[output].append((time.monotonic(), int(found[3])))

    def talk(self):
        with open(os.path.join(self.folder, "wires.log")) as log:
            return log.read()[-300:].strip()

    def follow(self, line):
        """Obeys a line of the board's console."""
        word = re.match(r"board: (\S+) ?(.*)", line)
        if self.reading and line != "board: end":
            self.files[self.reading].append(line)
        elif not word:
            return
        elif word[1] == "end":
            with open(os.path.join(self.folder, self.reading), "w") as file:
                file.writelines(text + "\n" for text in self.files[self.reading])
            self.reading = None
        elif word[1] == "file":
            self.reading = word[2]
            self.files[self.reading] = []
        elif word[1] == "edge":
            self.edge()
        elif word[1] == "failed:":
            raise Failure(word[2])
        else:
            self.greeting = self.greeting or line
            print(f"{self.processor}: {line[7:]}", flush=True)

    def edge(self):
        """Lets the trigger's line go up and down."""
        self.edges.append(time.monotonic())
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(self.socket)
            for level in (1, 0):
                wire.sendall(f"set_irq_in {self.device} unnamed-gpio-in {TRIGGER} {level}\n".encode())
                expect(wire.recv(100) == b"OK\n", "the emulator does not take the edge")

    # Judging

    def judge(self):
        expect(
            self.greeting.endswith("kernels: " + BOARDS[self.processor]), f"not the kernels expected: {self.greeting}"
        )
        self.lines = {name: self.read(name, *expected) for name, expected in RUNS.items()}
        for name in STILL:
            expect(
                all(line == self.lines[name][0] for line in self.lines[name]),
                f"{name}.jsonl: lines differ, but the picture stands still",
            )
        expect(len(self.lines["mjpeg"]) == 3, f"mjpeg.jsonl: {len(self.lines['mjpeg'])} lines of 3 edges")
        stars = [sum(segment["name"] == "star" for segment in line["segments"]) for line in self.lines["mjpeg"]]
        expect(stars[0] and not stars[1] and stars[2], f"mjpeg.jsonl: stars in the pictures: {stars}")
        levels = {line: [level for _, level in changes] for line, changes in self.outputs.items()}
        # Low from the start; high at the first and third picture; low again at the end.
        for line, name in ((ALARM, "alarm"), (HEARTBEAT, "heartbeat")):
            expect(
                levels[line] == [0, 1, 0, 1, 0],
                f"the {name} went {levels[line]}, not low, high, low, high, low; see wires.log",
            )
        self.delay = self.outputs[ALARM][1][0] - self.edges[0]

    def read(self, name, least, phrases):
        """A run's lines without what depends on time."""
        talk, lines, number = "\n".join(self.files[name + ".talk"]), [], 0
        expect(re.search(".*".join(phrases), talk, re.DOTALL), f"{name}.talk: not what is expected: {talk}")
        for text in self.files[name + ".jsonl"]:
            line = json.loads(text)
            frame, timing = line.pop("frame"), line.pop("timing")
            expect(frame["number"] == number + frame["skipped"] + 1, f"{name}.jsonl: frame {frame} after {number}")
            number = frame["number"]
            expect(line["segments"] and timing["total"] > 0, f"{name}.jsonl: no segments in frame {number}")
            lines.append(line)
        expect(len(lines) >= least, f"{name}.jsonl: {len(lines)} lines, {least} are expected")
        return lines

    def sums(self):
        total = sum(len(lines) for lines in self.lines.values())
        names = [segment["name"] for segment in self.lines["mjpeg"][0]["segments"]]
        return (
            f"{self.processor}: {total} frames, edge to alarm in {self.delay:.1f} s, "
            f"powered off after {self.wall:.0f} s; alarm's picture: {', '.join(names)}"
        )


def main():
    folder, seconds = sys.argv[1], int(sys.argv[2])
    boards = [Board(processor, folder, seconds) for processor in BOARDS]
    for board in boards:
        board.start()
    for board in boards:
        board.join()
    for board in boards:
        expect(not board.failure, board.failure)
        print(board.sums())
        print("  " + board.files["nv12.talk"][-1].removeprefix("fcclip-edge: "))
    first, second = boards
    for name, (count, _) in RUNS.items():
        for number in range(count):
            expect(
                first.lines[name][number] == second.lines[name][number],
                f"{name}.jsonl: line {number + 1} differs between the boards",
            )
    print(f"the same segments on both: {sum(count for count, _ in RUNS.values())} lines")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"Boards/emulate: {failure}")
