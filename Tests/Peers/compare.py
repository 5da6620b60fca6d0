"""fcclip-edge beside onnxruntime and OpenVINO on one network and one picture, and the table of it.

python compare.py --program fcclip-edge --model MODEL --vocab VOCABULARY --picture PICTURE --folder FOLDER --size SIZE
    [--rounds 3] [--engine NAME]... [--results results.jsonl]
python compare.py --table results.jsonl

FOLDER is the output of export.py for this size. Every engine runs in a process of its own, one after the other, in
several rounds; results are appended to a file, so that disturbed rounds can be repeated. Run it on an idle machine: the
table has a column for how many processors were busy.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from measure import ENGINES


def busy() -> tuple[int, int]:
    """Processor time of the whole machine, in ticks: spent, and passed."""
    ticks = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def ours(a: argparse.Namespace) -> dict:
    """fcclip-edge in two rows.

    The network alone, as the peers run it, and everything from the resized picture to panoptic segments at the
    picture's size.
    """
    output = subprocess.run(
        [
            a.program,
            "bench",
            "--model",
            a.model,
            "--vocab",
            a.vocab,
            "--image",
            a.picture,
            "--input-size",
            f"{a.size}x{a.size}",
            "--threads",
            str(a.threads),
            "--frames",
            str(a.runs),
            "--json",
            "-",
        ],
        check=True,
        capture_output=True,
    ).stdout
    report = json.loads(output)
    stages = {stage["name"]: stage["milliseconds"] for stage in report["stages"]}
    network = sum(time for name, time in stages.items() if name not in ("preprocessing", "post-processing"))
    return {
        "engine": f"fcclip-edge ({report['kernels']})",
        "version": "",
        "size": a.size,
        "milliseconds": [network],
        "with_segments": network + stages["post-processing"],
        "load_seconds": (report["open_milliseconds"] + report["pack_milliseconds"]) / 1000,
        "peak_resident_bytes": report["peak_resident_bytes"],
        "file_bytes": report["model"]["bytes"],
        "share_of_peak": report["total"]["multiply_adds"] / network * 1000 / report["peak_multiply_adds_per_second"],
        "peak": report["peak_multiply_adds_per_second"],
        "stages": stages,
    }


def peer(name: str, a: argparse.Namespace) -> dict:
    output = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parent / "measure.py"),
            name,
            a.folder,
            str(a.size),
            a.picture,
            "--threads",
            str(a.threads),
            "--runs",
            str(a.runs),
        ],
        check=True,
        capture_output=True,
    ).stdout
    return json.loads(output)


def fraction(result: dict, key: str) -> str:
    return f"{result[key]:.3f}" if key in result else ""


def table(path: Path) -> str:
    """One row for each engine and size: median and minimum over the rounds' medians."""
    rows: dict[tuple[int, str], list[dict]] = {}
    for line in path.read_text().splitlines():
        result = json.loads(line)
        rows.setdefault((result["size"], result["engine"]), []).append(result)
    text = (
        "| input | engine | median ms | minimum ms | MB resident | MB file | mask IoU | same class "
        "| processors busy |\n|" + "---|" * 9
    )
    for (size, engine), results in sorted(
        rows.items(),
        key=lambda row: (-row[0][0], -statistics.median(statistics.median(r["milliseconds"]) for r in row[1])),
    ):
        medians = [statistics.median(r["milliseconds"]) for r in results]
        last = results[-1]

        text += (
            f"\n| {size}x{size} | {engine} {last['version']} | {statistics.median(medians):.0f} | {min(medians):.0f} "
            f"| {max(r['peak_resident_bytes'] for r in results) / 1e6:.0f} | {last['file_bytes'] / 1e6:.0f} "
            f"| {fraction(last, 'mask_iou')} | {fraction(last, 'same_class')} "
            f"| {statistics.median(r['processors_busy'] for r in results):.1f} |"
        )
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("program", "model", "vocab", "picture", "folder"):
        parser.add_argument("--" + name)
    parser.add_argument("--size", type=int)
    parser.add_argument("--engine", action="append", choices=["fcclip-edge", *ENGINES])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("results.jsonl"))
    parser.add_argument("--table", type=Path)
    a = parser.parse_args()
    if a.table:
        print(table(a.table))
        sys.exit()
    if missing := [
        name for name in ("program", "model", "vocab", "picture", "folder", "size") if getattr(a, name) is None
    ]:
        parser.error(f"--{missing[0]} is missing")
    for _ in range(a.rounds):
        for name in a.engine or ["fcclip-edge", *ENGINES]:
            before = busy()
            result = ours(a) if name == "fcclip-edge" else peer(name, a)
            after = busy()
            result["processors_busy"] = (after[0] - before[0]) / (after[1] - before[1]) * os.cpu_count()
            with a.results.open("a") as file:
                file.write(json.dumps(result) + "\n")
            print(
                f"{result['engine']} {a.size}x{a.size}: {statistics.median(result['milliseconds']):.0f} ms",
                file=sys.stderr,
            )
    print(table(a.results))
