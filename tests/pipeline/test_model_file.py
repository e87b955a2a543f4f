"""An .onnx on its way to a board: made int8, and the engine's outputs those of TensorFlow Lite Micro."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinynas.cli.main import main
from tinynas.export import onnx_import
from tinynas.graph import DType, OpKind, Quantization, Tensor
from tinynas.graph.tflite import graph_from_bytes
from tinynas.pipeline.compile import Check, compile_model
from tinynas.pipeline.model_file import load_model, stored
from tinynas.pipeline.samples import SampleSource

needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnx2tf", "onnxruntime")),
    reason="needs the extra onnx: pip install 'tinynas[onnx]'",
)
DIGITS = SampleSource("digits")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing from the cache of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def save_network(
    path: Path,
    shape: tuple[Any, ...] = (1, 1, 8, 8),
    before: str | None = None,
    opset: int = 13,
    inputs: int = 1,
    kind: int = 1,
) -> Path:
    """Convolution, ReLU, depthwise convolution of stride 2, clip to 6, flatten, Gemm: 10 classes.

    `before` is an operator in front of all; `kind` is the input's element type.
    """
    from onnx import helper, numpy_helper, save

    rng = np.random.default_rng(3)
    rows, columns, channels = (*(size if isinstance(size, int) else 8 for size in shape[2:]), shape[1])
    if before == "Transpose":
        rows, columns, channels = shape[1], shape[2], shape[3]
    sizes = {
        "w1": (8, channels, 3, 3), "b1": (8,), "w2": (8, 1, 3, 3), "b2": (8,),
        "w3": (10, 8 * -(-rows // 2) * -(-columns // 2)), "b3": (10,),
    }  # fmt: skip
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.3, size).astype(np.float32), name)
        for name, size in sizes.items()
    ]
    weights += [numpy_helper.from_array(np.float32(value), name) for name, value in (("low", 0), ("high", 6))]
    first = "x" if before is None else "t"
    perm = {"perm": [0, 3, 1, 2]} if before == "Transpose" else {}
    nodes = [] if before is None else [helper.make_node(before, ["x"], ["t"], **perm)]
    window: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes += [
        helper.make_node("Conv", [first, "w1", "b1"], ["c1"], **window),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], strides=[2, 2], group=8, **window),
        helper.make_node("Clip", ["c2", "low", "high"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["f"], axis=1),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
    ]
    given = [
        helper.make_tensor_value_info(f"x{i or ''}", kind if i == 0 else 1, shape) for i in range(inputs)
    ]
    made = helper.make_tensor_value_info("y", 1, [shape[0], 10])
    graph = helper.make_graph(nodes, "small", given, [made], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


@needs_onnx
@pytest.mark.slow
def test_an_onnx_network_runs_in_the_engine_as_in_tflite(tmp_path: Path) -> None:
    """With open batch, and calibrated on pictures; the C, run here, gives TFLite Micro's bytes."""
    file = save_network(tmp_path / "digits.onnx", ("N", 1, 8, 8))
    report = compile_model(file, tmp_path / "c", source=DIGITS, check=Check(samples=50))
    assert report.checked_samples == 50
    made = load_model(file, DIGITS)
    graph = graph_from_bytes(made, "digits")
    kinds = [operator.kind for operator in graph.operators]
    assert kinds.count(OpKind.CONV_2D) == kinds.count(OpKind.DEPTHWISE_CONV_2D) == 1
    assert [graph.tensors[i].shape for i in (*graph.inputs, *graph.outputs)] == [(1, 8, 8, 1), (1, 10)]
    assert all(graph.tensors[i].dtype is DType.INT8 for i in (*graph.inputs, *graph.outputs))
    # made anew it is the same, byte for byte, so that a board's firmware is recognised
    for kept in (tmp_path / "home").rglob("*.tflite"):
        kept.unlink()
    assert load_model(file, DIGITS) == made


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "shape", "taken"),
    [(None, (1, 3, 10, 6), (10, 6, 3)), ("Transpose", (1, 10, 6, 3), (10, 6, 3))],
)
def test_samples_in_the_files_layout_are_turned_to_tflites(
    tmp_path: Path, before: str | None, shape: tuple[int, ...], taken: tuple[int, ...]
) -> None:
    import onnxruntime

    from tinynas.export.micro import run_micro

    file = save_network(tmp_path / "net.onnx", shape, before)
    samples = np.random.default_rng(1).normal(0, 1, (30, *shape[1:])).astype(np.float32)
    np.save(tmp_path / "samples.npy", samples)
    source = SampleSource(str(tmp_path / "samples.npy"))
    model = load_model(file, source)
    graph = graph_from_bytes(model, "net")
    assert graph.tensors[graph.inputs[0]].shape[1:] == taken
    read = onnx_import.read_onnx(file, file.read_bytes())
    turned = stored(read.from_file_layout(samples), graph.tensors[graph.inputs[0]])
    answers = run_micro(model, turned).reshape(30, -1).argmax(axis=1)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    expected = [session.run(None, {"x": sample[None]})[0].argmax() for sample in samples]
    assert (answers == expected).mean() > 0.8


@needs_onnx
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shape": (4, 1, 8, 8)}, "takes 4 samples at once: export it with a batch of 1"),
        ({"shape": (1, 1, "rows", 8)}, "leaves sizes of its input 'x' open"),
        ({"opset": 99}, "uses opset 99 and"),
        ({"inputs": 2}, "has 2 inputs and tinynas calibrates one"),
        ({"kind": 2, "before": "Cast"}, "is not a sound .onnx file"),
        ({"before": "Foo"}, "No Op registered for Foo"),
        ({"shape": (1, 3, 8, 8)}, "the pictures of digits are square with 1 channels"),
    ],
)
def test_networks_that_cannot_be_converted(
    options: dict[str, Any], sentence: str, tmp_path: Path, capsys: Capture
) -> None:
    file = save_network(tmp_path / "net.onnx", **options)
    assert main(["plan", str(file), "--data", "digits"]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


@needs_onnx
@pytest.mark.slow
def test_an_operator_without_an_int8_form_is_named(tmp_path: Path, capsys: Capture) -> None:
    file = save_network(tmp_path / "net.onnx", before="Erf")
    assert main(["plan", str(file), "--data", "digits"]) == 2
    assert "net.onnx cannot be converted: TensorFlow Lite has no int8 Erf" in capsys.readouterr().err


@needs_onnx
@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_damaged_file_is_told(content: bytes, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    assert main(["cost", str(tmp_path / "net.onnx"), "--board", "stm32f746", "--data", "digits"]) == 2
    assert "is not a sound .onnx file" in capsys.readouterr().err


COMMANDS: list[tuple[str, Callable[[Path], list[str]]]] = [
    ("plan", lambda folder: []),
    ("cost", lambda folder: ["--board", "stm32f746"]),
    ("compile", lambda folder: ["-o", str(folder / "c")]),
    ("build", lambda folder: ["--board", "stm32f746"]),
    ("flash", lambda folder: ["--board", "stm32f746"]),
    ("measure", lambda folder: ["--board", "stm32f746", "--port", "/dev/x"]),
    ("deploy", lambda folder: ["--board", "stm32f746", "--virtual"]),
]


@pytest.mark.parametrize(("command", "words"), COMMANDS)
def test_every_command_takes_an_onnx_and_says_what_it_needs(
    command: str,
    words: Callable[[Path], list[str]],
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"not looked at")
    asked = [command, str(file), *words(tmp_path), "--json"]
    assert main(asked) == 2
    assert "is a float network: give --data" in json.loads(capsys.readouterr().out)["error"]
    monkeypatch.setattr(onnx_import.importlib.util, "find_spec", lambda name: None)
    assert main([*asked, "--data", "digits"]) == 1
    assert "pip install 'tinynas[onnx]'" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", "mcunet-in0", "--data", "digits"], "--data calibrates an .onnx file"),
        (["plan", "net.onnx", "--data", "digits", "--std", "0"], "pixels cannot be divided by that"),
        (["plan", "net.onnx", "--data", "digits", "--mean", "a"], "give a number, or one a channel"),
        (["plan", "none.onnx", "--data", "digits"], "none.onnx cannot be read"),
    ],
)
def test_bad_words_get_one_sentence(words: list[str], sentence: str, capsys: Capture) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_a_tflite_needs_no_calibration(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "net.tflite").write_bytes(b"not looked at")
    assert main(["plan", str(tmp_path / "net.tflite"), "--data", "digits"]) == 2
    assert "calibrates an .onnx file and" in capsys.readouterr().err


def test_pixels_are_normalised_as_in_training_and_stored_as_int8() -> None:
    tensor = Tensor("x", (1, 8, 8, 1), DType.INT8, quantization=Quantization((0.05,), (-3,)))
    real, labels = SampleSource("digits", mean=(0.5,), std=(0.25,)).test((8, 8, 1), 7)
    assert real.shape == (7, 8, 8, 1) and len(labels) == 7
    assert real.min() == -2 and 1 < real.max() <= 2
    whole = stored(real, tensor)
    assert whole.shape == (7, 1, 8, 8, 1) and whole.dtype == np.int8
    assert np.abs((whole.reshape(real.shape) + 3.0) * 0.05 - real).max() <= 0.0251
