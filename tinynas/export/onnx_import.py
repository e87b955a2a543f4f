"""An .onnx file made an int8 .tflite, by onnx2tf (extra `onnx`) and TensorFlow's converter.

ONNX keeps channels before rows and columns, TFLite after them. onnx2tf turns a network around, and where it
has to guess it can guess wrong: so its float network is compared with ONNX Runtime before it is quantised.

The work is done in a process of its own (`onnx_child`): onnx2tf brings a Keras of its own, prints, and may
end the process it runs in.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.errors import ModelError, ToolchainError

SUFFIX = ".onnx"
_NEEDED = ("onnx", "onnx2tf", "onnxruntime", "tf_keras", "onnx_graphsurgeon")
#: from channels first to channels last, by rank
_TO_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}
#: what a Transpose right behind the input does where the file itself has channels last
_TO_FIRST = {3: [0, 2, 1], 4: [0, 3, 1, 2]}
_SECONDS = 900.0
_PAINT = re.compile(r"\x1b\[[0-9;]*m")
#: the TensorFlow operator that the converter could make nothing of
_NO_INT8 = re.compile(r"'tf\.(?P<name>\w+)' op is neither a custom op nor a flex op")
_FAULT = re.compile(r"(?:ERROR: |Error: |[A-Za-z_.]+Error: )(?P<words>.+)")


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A float network with one input. `shape` is that of a sample as the .tflite will take it.

    `channels_first` is whether the file's own samples have them first.
    """

    name: str
    content: bytes
    input: str
    shape: tuple[int, ...]
    channels_first: bool

    def from_file_layout(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples [n, ...] laid out as in the .onnx file, as the .tflite takes them.

        Raises:
            ModelError: they have another shape.
        """
        order = _TO_LAST[samples.ndim] if self.channels_first and samples.ndim in _TO_LAST else None
        turned = samples if order is None else samples.transpose(order)
        if turned.shape[1:] != self.shape:
            own = self.shape if not self.channels_first else (self.shape[-1], *self.shape[:-1])
            raise ModelError(
                f"{self.name} takes samples of {list(own)}, not of {list(samples.shape[1:])}: save them as "
                f"one array of shape [samples, {', '.join(map(str, own))}]"
            )
        return turned


def read_onnx(path: Path, content: bytes) -> OnnxModel:
    """What must be known of the .onnx file to find samples for it.

    Raises:
        ModelError: the file is damaged, or of a kind that cannot be converted.
        ToolchainError: the extra `onnx` is not installed.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolchainError(
            f"an .onnx file needs {', '.join(missing)}, which is not installed: pip install 'tinynas[onnx]'"
        )
    model = _checked(path, content)
    graph = model.graph
    constants = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    if len(inputs) != 1:
        raise ModelError(f"{path} has {len(inputs)} inputs and tinynas calibrates one: export it with one")
    shape = _fixed_shape(path, inputs[0])
    rank = len(shape) + 1
    first = rank in _TO_LAST and not _turned_at_once(graph, inputs[0].name, rank)
    turned = (*shape[1:], shape[0]) if first else shape
    return OnnxModel(path.name, model.SerializeToString(), inputs[0].name, turned, first)


def convert_onnx(model: OnnxModel, calibration: NDArray[np.float32]) -> bytes:
    """The int8 .tflite of `model`, activation ranges taken from `calibration` [n, *model.shape], float.

    Raises:
        ModelError: onnx2tf or TensorFlow cannot convert it, or the conversion is not the same network.
    """
    with TemporaryDirectory(prefix="tinynas-onnx-") as folder:
        place = Path(folder)
        (place / "model.onnx").write_bytes(model.content)
        np.save(place / "calibration.npy", calibration)
        said = _run_child(place, model)
        made = place / "model.tflite"
        if not made.is_file():
            raise ModelError(f"{model.name} cannot be converted: {_reason(said)}")
        return made.read_bytes()


def _run_child(place: Path, model: OnnxModel) -> str:
    """Everything the converting process said."""
    words = [model.input, "first" if model.channels_first else "as it is"]
    command = [sys.executable, "-P", "-c", "from tinynas.export.onnx_child import serve; serve()", *words]
    tools = str(Path(sys.executable).parent)  # onnx2tf calls onnxsim by name
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PATH": os.pathsep.join((tools, os.environ.get("PATH", ""))),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONHASHSEED": "0",
    }
    try:
        done = subprocess.run(
            command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"{model.name} took longer than {_SECONDS:g} s to convert: use a smaller one"
        ) from None
    return _PAINT.sub("", done.stdout)


def _checked(path: Path, content: bytes) -> Any:
    """The model with all its weights, parsed and found sound by ONNX's own checker."""
    import onnx

    try:
        model: Any = onnx.load_model_from_string(content)
        onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's, onnx's and the file system's own
        raise ModelError(
            f"{path} is not a sound .onnx file ({_line(str(error))}): export it again"
        ) from error
    newest = onnx.defs.onnx_opset_version()
    used = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=0)
    if used > newest:
        raise ModelError(
            f"{path} uses opset {used} and {newest} is the newest known here: export it with that"
        )
    return model


def _fixed_shape(path: Path, given: Any) -> tuple[int, ...]:
    """The input's sizes without its batch, which may be open."""
    import onnx

    tensor = given.type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ModelError(
            f"{path} takes {kind} and tinynas quantises float networks: export it before quantising"
        )
    batch, *sizes = (each.dim_value for each in tensor.shape.dim) if tensor.shape.dim else (0,)
    if batch > 1:
        raise ModelError(f"{path} takes {batch} samples at once: export it with a batch of 1")
    if not sizes or not all(sizes):
        raise ModelError(f"{path} leaves sizes of its input '{given.name}' open: export it with fixed ones")
    return tuple(sizes)


def _turned_at_once(graph: Any, name: str, rank: int) -> bool:
    """Whether the input has channels last and all its readers turn it first, as TensorFlow's exporters do."""
    readers = [node for node in graph.node if name in node.input]
    return bool(readers) and all(
        node.op_type == "Transpose"
        and any(list(each.ints) == _TO_FIRST[rank] for each in node.attribute if each.name == "perm")
        for node in readers
    )


def _reason(said: str) -> str:
    if found := _NO_INT8.search(said):
        return f"TensorFlow Lite has no int8 {found['name']}; export it with other operators"
    faults: Iterator[Any] = _FAULT.finditer(said)
    words = next((found["words"] for found in faults), None) or (said.strip().splitlines() or ["no word"])[-1]
    return f"{_line(words)}; export it with other operators or another opset"


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")[:300]
