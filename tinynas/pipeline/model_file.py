"""A model's file as the int8 .tflite that everything else works on: an .onnx is made one here."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.errors import ModelError, RequestError, RunError
from tinynas.export.onnx_import import SUFFIX, OnnxModel, convert_onnx, read_onnx
from tinynas.graph import DType, Graph, Tensor
from tinynas.graph.quantized import quantization_of
from tinynas.graph.tflite import read_file
from tinynas.pipeline.samples import SampleSource, read_array
from tinynas.search.disk import written_whole

MODEL_SUFFIXES = (".tflite", SUFFIX)
#: samples that set the int8 ranges, at most
CALIBRATION_SAMPLES = 200


def is_onnx(path: Path) -> bool:
    """Whether `path` is called like an .onnx file."""
    return path.suffix.lower() == SUFFIX


def load_model(path: Path, source: SampleSource) -> bytes:
    """The .tflite in `path`, or what is made of the .onnx there, calibrated on samples of `source`.

    The same file and samples give the same bytes; a conversion is kept in ~/.cache/tinynas.

    Raises:
        ModelError: the file is missing, damaged, or cannot be converted.
        RequestError: an .onnx without samples, or samples for a file that is int8 already.
        DataError: the samples are not what the model takes.
        ToolchainError: the extra `onnx` is not installed.
    """
    content = read_file(path)
    if not is_onnx(path):
        if source.data is not None:
            raise RequestError(f"--data calibrates an .onnx file and {path} is none: leave it out")
        return content
    if source.data is None:
        raise RequestError(
            f"{path} is a float network: give --data, pictures like those it was trained on (a name, a "
            "folder, an .npz), or an .npy of its input, so that it can be made int8"
        )
    model = read_onnx(path, content)
    return _converted(model, _calibration(model, source))


def _calibration(model: OnnxModel, source: SampleSource) -> NDArray[np.float32]:
    if source.array is None:
        return source.calibration(model.shape, CALIBRATION_SAMPLES)
    return model.from_file_layout(read_array(source.array)[:CALIBRATION_SAMPLES])


def _converted(model: OnnxModel, calibration: NDArray[np.float32]) -> bytes:
    """From the cache, or anew."""
    digest = hashlib.sha256(model.content)
    digest.update(np.ascontiguousarray(calibration).tobytes())
    digest.update(f"{calibration.shape} {version('onnx2tf')} {version('tf-keras')}".encode())
    kept = Path.home() / ".cache" / "tinynas" / "onnx" / f"{digest.hexdigest()[:32]}.tflite"
    if kept.is_file():
        return kept.read_bytes()
    made = convert_onnx(model, calibration)
    # without a place to keep it, it is made again next time
    with suppress(RunError), written_whole(kept) as partial:
        partial.write_bytes(made)
    return made


def model_samples(
    path: Path, original: Graph, source: SampleSource, count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """At most `count` samples [n, ...] to compare on, as real numbers in the .tflite's layout, and labels.

    Raises:
        ModelError: the model has several inputs, or the samples are not what it takes.
        DataError: as `SampleSource.test` and `read_array`.
    """
    if len(original.inputs) != 1:
        raise ModelError(f"{path} has {len(original.inputs)} inputs and --data gives one: leave it out")
    shape = original.tensors[original.inputs[0]].shape[1:]
    if source.array is None:
        return source.test(shape, count)
    values = read_array(source.array)[:count]
    if is_onnx(path):
        return read_onnx(path, read_file(path)).from_file_layout(values), None
    if values.shape[1:] != shape:
        raise ModelError(
            f"{path} takes samples of {list(shape)}, not of {list(values.shape[1:])}: save such ones"
        )
    return values, None


def stored(real: NDArray[np.float32], tensor: Tensor) -> NDArray[Any]:
    """Real samples [n, ...] as the .tflite's input holds them: [n, 1, ...], float or quantised."""
    values = real.reshape(len(real), *tensor.shape)
    if tensor.dtype is DType.FLOAT32:
        return values
    scale, zero = quantization_of(tensor)
    quantised: NDArray[Any] = np.clip(np.rint(values / scale) + zero, -128, 127).astype(np.int8)
    return quantised
