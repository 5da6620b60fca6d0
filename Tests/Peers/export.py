"""The reference network as ONNX (fixed input size, opset 17), and as int8 for each peer by its own tools.

python export.py CHECKPOINT VOCABULARY SIZE CALIBRATION_FOLDER TEST_PICTURE OUTPUT_FOLDER
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from network import OUTPUTS, build, calibration, picture


def export(checkpoint: Path, vocabulary: Path, size: int, test: Path, folder: Path) -> None:
    """network.onnx, and what PyTorch makes of the test picture as reference.npz."""
    import torch

    model = build(checkpoint, vocabulary)
    image = torch.from_numpy(picture(test, size))
    with torch.no_grad():
        np.savez(folder / "reference.npz", **{name: x.numpy() for name, x in zip(OUTPUTS, model(image))})
        torch.onnx.export(
            model,
            (image,),
            str(folder / "network.onnx"),
            input_names=["image"],
            output_names=OUTPUTS,
            opset_version=17,
            dynamo=False,
            do_constant_folding=True,
        )


def quantize_openvino(pictures: list[np.ndarray], folder: Path) -> None:
    """nncf's post-training quantization with its defaults: openvino-int8.xml."""
    import nncf
    import openvino

    model = openvino.Core().read_model(folder / "network.onnx")
    data = nncf.Dataset([{"image": x} for x in pictures], lambda item: item)
    openvino.save_model(
        nncf.quantize(model, data, subset_size=len(pictures)), folder / "openvino-int8.xml", compress_to_fp16=False
    )


def quantize_onnxruntime(pictures: list[np.ndarray], folder: Path) -> None:
    """Static quantization of products and convolutions, weights by channel: onnxruntime-int8.onnx."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.items = iter([{"image": x} for x in pictures])

        def get_next(self):
            return next(self.items, None)

    prepared = folder / "prepared.onnx"
    quant_pre_process(str(folder / "network.onnx"), str(prepared), skip_symbolic_shape=True, auto_merge=True)
    quantize_static(
        str(prepared),
        str(folder / "onnxruntime-int8.onnx"),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm", "Conv"],
        calibrate_method=CalibrationMethod.MinMax,
    )
    prepared.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("size", type=int)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("folder", type=Path)
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    for name, make in {
        "network.onnx": lambda: export(a.checkpoint, a.vocabulary, a.size, a.test, a.folder),
        "openvino-int8.xml": lambda: quantize_openvino(calibration(a.calibration, a.size), a.folder),
        "onnxruntime-int8.onnx": lambda: quantize_onnxruntime(calibration(a.calibration, a.size), a.folder),
    }.items():
        if (a.folder / name).exists():
            continue
        start = time.time()
        make()
        print(f"{a.folder / name}: {time.time() - start:.0f} s", flush=True)
