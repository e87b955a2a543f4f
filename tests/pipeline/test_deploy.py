"""A model on a virtual board: built by PlatformIO, booted, checked, and equal to what was predicted."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tinynas.cli.main import main

needs_board = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None
    or any(find_spec(name) is None for name in ("unicorn", "SCons")),
    reason="needs gcc-arm-none-eabi and the extras firmware and virtual",
)


@needs_board
@pytest.mark.slow
@pytest.mark.parametrize("board", ["stm32f746", "stm32f412", "stm32h743", "stm32l4r5"])
def test_a_model_runs_on_a_virtual_board(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], board: str
) -> None:
    model = shared / "models" / "mlperftiny__ad01_int8.tflite"
    words = [
        "deploy",
        str(model),
        "--board",
        board,
        "--virtual",
        "--samples",
        "4",
        "-o",
        str(tmp_path),
        "--json",
    ]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["wrong_samples"] == 0
    assert found["times"] == "modelled by the virtual board"
    arena = found["arena_bytes"]
    assert arena["predicted"] == arena["elf"] == arena["board"] == 768
    assert found["memory"]["heap"] == 0
    assert found["memory"]["stack_used"] < 2048
    assert 0 < found["latency_ms"] < 50
    assert json.loads(next(tmp_path.rglob("deployment.json")).read_text()) == found


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x.onnx", "--board", "stm32f746", "--virtual"], "neither the folder of a run nor a .tflite"),
        (["nothing.tflite", "--board", "stm32f746", "--virtual"], "cannot be read"),
        (["a.tflite", "--board", "stm32f746", "--virtual", "--port", "/dev/x"], "use one of them"),
    ],
)
def test_bad_requests_get_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
