"""``tinynas compile``: what it writes, what it refuses, and that its check can fail."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "engine"))

import make_tflite as make
from micro_oracle import needs_compiler

import tinynas.engine.tables
import tinynas.pipeline.compile
from tinynas.cli.main import main
from tinynas.engine.packing import pack
from tinynas.engine.parameters import Convolution, Parameters
from tinynas.graph import Activation, Graph, OpKind, Padding


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small convolution in a file."""
    rng = np.random.default_rng(7)
    path = tmp_path / "small net.tflite"
    path.write_bytes(
        make.convolution(rng, (8, 8, 3), 5, (3, 3), (2, 2), Padding.SAME, activation=Activation.RELU)
    )
    return path


def compiled(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    """The object that ``compile`` prints."""
    assert main(["compile", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: object, status: int = 2) -> str:
    """The line with which ``compile`` is refused; nothing is left half written."""
    assert main(["compile", *map(str, words)]) == status
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert "Traceback" not in err and "defect of tinynas (" not in err
    return err.strip()


def left(folder: Path) -> list[str]:
    """Names in `folder` but the models'."""
    return sorted(path.name for path in folder.iterdir() if path.suffix not in (".tflite", ".npy"))


@needs_compiler
def test_a_goal_spends_what_it_may(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    rng = np.random.default_rng(1)
    model.write_bytes(make.convolution(rng, (12, 12, 8), 16, (3, 3), (1, 1), Padding.SAME))
    small = compiled(capsys, model, "-o", tmp_path / "small")
    fast = compiled(capsys, model, "-o", tmp_path / "fast", "--optimize", "speed", "--check")
    least = small["arena_bytes"]
    assert (small["optimize"], fast["optimize"]) == ("ram", "speed")
    assert least == small["least_arena_bytes"] == fast["least_arena_bytes"] < fast["arena_bytes"]
    goals = {goal["optimize"]: goal for goal in fast["goals"]}
    assert list(goals) == ["ram", "balanced", "speed"] and fast["goals"] == small["goals"]
    for report in (small, fast):
        offer = goals[report["optimize"]]
        assert (offer["arena_bytes"], offer["flash_bytes"]) == (report["arena_bytes"], report["flash_bytes"])
    instructions = [goal["modelled_instructions"] for goal in goals.values()]
    assert instructions == sorted(instructions, reverse=True) and instructions[0] > instructions[-1] > 0
    assert "blocks.c" in " ".join(fast["files"]) and "blocks.c" not in " ".join(small["files"])
    words = ("--optimize", "speed", "--arena", str(least))
    assert compiled(capsys, model, "-o", tmp_path / "held", *words)["arena_bytes"] == least
    assert f"{least:,} bytes at least" in refused(
        capsys, model, "-o", tmp_path / "none", "--arena", str(least - 4)
    )
    assert "is not one of 'ram', 'balanced', 'speed'" in refused(
        capsys, model, "-o", tmp_path / "none", "--optimize", "fun"
    )


@needs_compiler
def test_a_checked_library(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = tmp_path / "samples.npy"
    np.save(samples, np.random.default_rng(0).integers(-128, 128, (4, 8, 8, 3)).astype(np.int8))
    out = tmp_path / "lib" / "net"
    report = compiled(capsys, model, "-o", out, "--check", "--samples", 3, "--inputs", samples)
    assert report["checked_samples"] == 7
    assert report["flash_bytes"] == sum(report["flash_pieces_bytes"].values())
    assert report["arena_bytes"] < report["tflm_arena_bytes"]
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == report["files"]
    header = (out / "src" / "tinynas.h").read_text()
    assert f"#define TINYNAS_ARENA_BYTES {report['arena_bytes']}\n" in header
    assert left(tmp_path) == ["lib"] and left(tmp_path / "lib") == ["net"]


def test_words_for_people(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model), "-o", str(tmp_path / "out"), "--name", "My Net"]) == 0
    printed = capsys.readouterr().out
    assert "my_net_input(), my_net_invoke(), my_net_output()" in printed
    assert "checked" not in printed and "TensorFlow Lite Micro" not in printed


@needs_compiler
def test_float_borders_are_dropped_or_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "floats.tflite"
    path.write_bytes(make.float_borders(np.random.default_rng(1), (5, 5, 2), 3))
    dropped = compiled(capsys, path, "-o", tmp_path / "int8", "--check", "--samples", 3)
    kept = compiled(capsys, path, "-o", tmp_path / "float", "--check", "--samples", 3, "--keep-float-io")
    assert (dropped["operators"], kept["operators"]) == (1, 3)
    assert "float *tinynas_input(" in (tmp_path / "float" / "src" / "tinynas.h").read_text()
    assert "int8_t *tinynas_input(" in (tmp_path / "int8" / "src" / "tinynas.h").read_text()


@needs_compiler
def test_a_wrong_byte_is_found_and_nothing_is_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def off_by_some(graph: Graph, index: int, function: str) -> Parameters:
        made = pack(graph, index, function)
        # other goals are planned too, to be shown
        return replace(made, bias=made.bias + 3000) if isinstance(made, Convolution) else made

    monkeypatch.setattr(tinynas.engine.tables, "pack", off_by_some)
    line = refused(capsys, model, "-o", tmp_path / "out", "--check", "--samples", 3, status=1)
    assert line.startswith("error (verification): output 0 differs from TensorFlow Lite Micro's on 3 of 3")
    assert left(tmp_path) == []


def test_an_operator_the_engine_does_not_run_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dilated.tflite"
    rng = np.random.default_rng(0)
    path.write_bytes(make.convolution(rng, (9, 9, 2), 3, (3, 3), (1, 1), Padding.SAME, dilation=2))
    line = refused(capsys, path, "-o", tmp_path / "out")
    assert line.startswith("error (model): dilated.tflite: operator 0 (CONV_2D with dilation 2 x 2) is not")
    assert left(tmp_path) == []


def test_files_that_are_no_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be read" in refused(capsys, tmp_path / "none.tflite", "-o", tmp_path / "out")
    (tmp_path / "bad.tflite").write_bytes(b"nothing")
    assert "is not a .tflite file" in refused(capsys, tmp_path / "bad.tflite", "-o", tmp_path / "out")
    assert left(tmp_path) == []


def test_what_is_there_is_kept(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    assert "is not empty" in refused(capsys, model, "-o", theirs)
    assert "--force replaces nothing else" in refused(capsys, model, "-o", theirs, "--force")
    assert (theirs / "thesis.txt").read_text() == "years of work"
    assert "is a file" in refused(capsys, model, "-o", theirs / "thesis.txt", "--force")
    # a folder of ours is replaced as a whole, and only by a whole one
    ours = tmp_path / "ours"
    compiled(capsys, model, "-o", ours, "--name", "first")
    assert "is not empty" in refused(capsys, model, "-o", ours)
    (tmp_path / "bad.tflite").write_bytes(b"nothing")
    refused(capsys, tmp_path / "bad.tflite", "-o", ours, "--force")
    assert (ours / "src" / "first.c").exists()
    compiled(capsys, model, "-o", ours, "--name", "second", "--force")
    assert (ours / "src" / "second.c").exists() and not (ours / "src" / "first.c").exists()
    assert left(tmp_path) == ["ours", "theirs"]


def test_an_empty_folder_is_used(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    assert compiled(capsys, model, "-o", tmp_path / "out")["checked_samples"] == 0
    assert left(tmp_path) == ["out"]


def test_a_full_disk_and_a_path_through_a_file(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be used" in refused(capsys, model, "-o", model / "out", status=1)

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tinynas.pipeline.compile, "emit", full)
    assert "no space is left on the disk" in refused(capsys, model, "-o", tmp_path / "out", status=1)
    assert left(tmp_path) == []


@needs_compiler
def test_samples_that_do_not_fit(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, file = ["-o", tmp_path / "out"], tmp_path / "samples.npy"
    line = refused(capsys, model, *out, "--inputs", file, "--samples", 100)
    assert "--inputs and --samples would change nothing, as no outputs are compared: add --check" in line
    asked = [model, *out, "--check", "--samples", 1, "--inputs", file]
    assert f"{file} cannot be read" in refused(capsys, *asked)
    file.write_bytes(b"no array")
    assert "not a whole .npy file" in refused(capsys, *asked)
    np.save(file, np.zeros((2, 8, 8, 3), np.float32))
    assert "holds float32 and the model takes int8" in refused(capsys, *asked)
    np.save(file, np.zeros((2, 3, 8, 8), np.int8))
    assert "shape [2, 3, 8, 8] and the model takes samples of [8, 8, 3]" in refused(capsys, *asked)
    assert left(tmp_path) == []


def test_a_name_that_cannot_name_functions(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has no letter or digit" in refused(capsys, model, "-o", tmp_path / "out", "--name", "?")
    assert "choose another" in refused(capsys, model, "-o", tmp_path / "out", "--name", "math")


@needs_compiler
def test_several_inputs_and_constants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sum.tflite"
    rng = np.random.default_rng(2)
    path.write_bytes(make.binary(rng, OpKind.ADD, (1, 6, 5, 3), (1, 6, 5, 3)))
    assert compiled(capsys, path, "-o", tmp_path / "out", "--check", "--samples", 4)["checked_samples"] == 4
    file = tmp_path / "samples.npy"
    np.save(file, np.zeros((1, 6, 5, 3), np.int8))
    line = refused(capsys, path, "-o", tmp_path / "other", "--check", "--inputs", file)
    assert "has 2 inputs" in line
