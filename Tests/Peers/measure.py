"""Times one peer and prints one JSON object: milliseconds of every run, peak memory, agreement with PyTorch.

python measure.py ENGINE FOLDER SIZE PICTURE [--threads 2] [--runs 5]

ENGINE is one of those in `ENGINES`; FOLDER is what export.py wrote.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from network import OUTPUTS, agreement, picture

ENGINES = ["onnxruntime-fp32", "onnxruntime-int8", "openvino-fp32", "openvino-int8"]


def onnxruntime(path: Path, image: np.ndarray, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda: dict(zip(OUTPUTS, session.run(OUTPUTS, {"image": image})))


def openvino(path: Path, image: np.ndarray, threads: int):
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    request.set_tensor("image", openvino.Tensor(image))

    def run() -> dict[str, np.ndarray]:
        request.infer()
        return {name: request.get_tensor(name).data for name in OUTPUTS}

    return openvino.__version__.split("-")[0], run


def peak_resident_bytes() -> int:
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("/proc/self/status does not tell the peak memory")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("size", type=int)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    a = parser.parse_args()
    library, kind = a.engine.split("-")
    name = {"fp32": "network.onnx", "int8": f"{a.engine}.{'onnx' if library == 'onnxruntime' else 'xml'}"}[kind]
    start = time.perf_counter()
    version, run = {"onnxruntime": onnxruntime, "openvino": openvino}[library](
        a.folder / name, picture(a.picture, a.size), a.threads
    )
    load = time.perf_counter() - start
    outputs, times = run(), []
    for _ in range(a.runs):
        start = time.perf_counter()
        outputs = run()
        times.append((time.perf_counter() - start) * 1000)
    files = [p for p in a.folder.glob(f"{Path(name).stem}.*")]
    print(
        json.dumps(
            {
                "engine": a.engine,
                "version": version,
                "size": a.size,
                "milliseconds": times,
                "load_seconds": load,
                "peak_resident_bytes": peak_resident_bytes(),
                "file_bytes": sum(p.stat().st_size for p in files),
                **agreement(outputs, dict(np.load(a.folder / "reference.npz"))),
            }
        )
    )
