"""Models on virtual boards: built by PlatformIO, booted, checked, equal to what was predicted, shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from small_search import Guard

from tinynas.board import load_board
from tinynas.cli.main import main
from tinynas.cost.calibration import shipped
from tinynas.cost.code_table import REMEDY, code_table
from tinynas.cost.kept import kept
from tinynas.device.elf import firmware_size
from tinynas.device.flash import flash_image
from tinynas.device.platformio import compiler_version
from tinynas.device.virtual.process import virtual_board
from tinynas.errors import RequestError
from tinynas.graph import GraphBuilder
from tinynas.pipeline.subject import find_subject
from tinynas.search import open_run

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))

from random_network import random_tflite

needs_board = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None
    or any(find_spec(name) is None for name in ("unicorn", "SCons")),
    reason="needs gcc-arm-none-eabi and the extras firmware and virtual",
)

Capture = pytest.CaptureFixture[str]


def answered(capsys: Capture, *words: str | Path) -> Any:
    """The object that a command prints with ``--json``."""
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: Capture, *words: str | Path, status: int = 1) -> str:
    """The sentence by which a command fails."""
    assert main([*map(str, words)]) == status
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run for speed on the digits, whose network was not trained."""
    net = GraphBuilder("digits", (8, 8, 1))
    x = net.depthwise(net.conv(net.input, 8, kernel=3), kernel=3)
    model = random_tflite(net.build(net.dense(net.global_mean(x), 10)), seed=4)
    folder = tmp_path_factory.mktemp("runs") / "digits"
    request = {"board": "stm32f746", "data": "digits", "seed": 0, "optimize": "speed"}
    request |= {"sram_bytes": 61_440, "flash_bytes": 104_857}
    with open_run(folder, request) as run:
        run.write_bytes("model.tflite", model)
        run.write_json("result.json", RESULT)
    return folder


RESULT = {
    "genotype": "r8x1 conv_k3_s1_c8 fc_c10", "space": "w0.3-r8", "macs": 5_000, "params": 1_234,
    "sram_bytes": 3_072, "sram_budget_bytes": 61_440, "flash_bytes": 26_214, "flash_budget_bytes": 104_857,
    "accuracy_float": 0.1, "accuracy_int8": 0.1, "model": "model.tflite", "seconds": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where firmware is built."""
    return tmp_path_factory.mktemp("built")


def test_a_pick_is_known_from_wherever_one_stands(
    digits_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(digits_run, tmp_path / "run"))
    taken = run / "picks" / "abc123"
    taken.mkdir(parents=True)
    for name in ("model.tflite", "result.json"):
        shutil.copyfile(run / name, taken / name)
    board, digests = load_board("stm32f746"), set()
    for place, asked in ((tmp_path, taken), (run, "picks/abc123"), (run / "picks", "abc123"), (taken, ".")):
        monkeypatch.chdir(place)
        digests.add(find_subject(Path(asked), board, 3).sha256)
    assert len(digests) == 1


@needs_board
@pytest.mark.slow
@pytest.mark.parametrize("board", ["stm32f746", "stm32f412", "stm32h743", "stm32l4r5"])
def test_a_run_answers_as_tflite_does_on_a_hundred_pictures(
    finished: tuple[Path, Guard], tmp_path: Path, capsys: Capture, board: str
) -> None:
    """On other boards than the run was made for, too: its network fits them all."""
    run, words = finished[0], ["--board", board, "--virtual", "--samples", "100", "-o", tmp_path]
    found = answered(capsys, "deploy", run, *words)
    assert (found["samples"], found["wrong_samples"]) == (100, 0)
    assert 0 <= found["accuracy_on_board"] <= 1
    assert found["times"].startswith("modelled, ")
    assert 0 < found["latency_min_ms"] <= found["latency_ms"] <= found["latency_max_ms"]
    arena, memory, linked = found["arena_bytes"], found["memory"], found["firmware"]
    assert arena["predicted"] == arena["elf"] == arena["board"]
    assert found["flash_bytes"]["elf"] == found["flash_bytes"]["board"]
    assert found["sram_bytes"]["elf"] == found["sram_bytes"]["board"]
    told = {f".{name}": memory[name] for name in ("text", "rodata", "data", "bss", "stack") if memory[name]}
    assert told == linked["sections"]
    parts_are_as_predicted(found)
    assert memory["stack_used"] < memory["stack"] // 2
    assert memory["heap"] == 0 and not linked["heap"]
    assert json.loads((run / "deployments" / f"{board}-virtual.json").read_text()) == found


def parts_are_as_predicted(found: dict[str, Any]) -> None:
    """All to the byte, if code was surveyed with this compiler; else but for code."""
    sram, flash = ("arena", "stack", "variables"), ("constants", "engine", "golden", "firmware")
    parts = {name: found["parts"][f"{name}_bytes"] for name in (*sram, *flash)}
    for name in sram:
        assert parts[name]["predicted"] == parts[name]["elf"] == parts[name]["board"] > 0, name
    code_is_as_predicted(found)
    for memory, names in (("sram_bytes", sram), ("flash_bytes", flash)):
        for known in ("predicted", "elf"):
            assert sum(parts[name][known] for name in names) == found[memory][known]
    assert found["sram_bytes"]["predicted"] == found["sram_bytes"]["board"]


def code_is_as_predicted(found: dict[str, Any]) -> None:
    """And all else that lies in flash."""
    parts = {name: found["parts"][f"{name}_bytes"] for name in ("constants", "engine", "golden", "firmware")}
    exact = code_table().compiler == compiler_version()
    assert found["flash_prediction"].startswith("exact" if exact else "about: GCC here is"), REMEDY
    for name, known in parts.items():
        is_exact = exact or name in ("constants", "golden")
        wanted = known["elf"] if is_exact else pytest.approx(known["elf"], rel=0.1)
        assert known["predicted"] == wanted, name


@needs_board
@pytest.mark.slow
@pytest.mark.parametrize("goal", ["balanced", "speed"])
def test_firmware_for_every_goal_takes_what_was_predicted(
    goal: str, shared: Path, place: Path, capsys: Capture
) -> None:
    model = shared / "models" / "mlperftiny__pretrainedResnet_quant.tflite"
    words = ["--board", "stm32l4r5", "--optimize", goal, "--samples", "1", "-o", place / goal]
    found = answered(capsys, "build", model, *words)
    assert found["optimize"] == goal
    code_is_as_predicted(found)


@needs_board
@pytest.mark.slow
def test_a_run_is_deployed_on_its_pictures_and_shown(digits_run: Path, place: Path, capsys: Capture) -> None:
    words = ["--board", "stm32f746", "--virtual", "--samples", "20", "--runs", "3", "-o", place]
    found = answered(capsys, "deploy", digits_run, *words)
    assert (found["samples"], found["wrong_samples"], found["runs"]) == (20, 0, 3)
    # the run's own goal, of which the firmware tells
    assert found["optimize"] == "speed"
    parts_are_as_predicted(found)
    assert found["accuracy_on_board"] in [count / 20 for count in range(21)]
    assert len(found["cycles_by_operator"]) == len(found["operators"])
    spent = sum(found["cycles_by_operator"])
    assert 0.5 * found["cycles"]["min"] < spent < 1.2 * found["cycles"]["max"]
    sections = found["firmware"]["sections"]
    told = {f".{name}": found["memory"][name] for name in ("text", "rodata", "bss", "stack")}
    assert told == {name: sections[name] for name in told}
    assert answered(capsys, "show", digits_run)["deployments"] == {"stm32f746-virtual": found}
    assert main(["show", str(digits_run)]) == 0
    shown = capsys.readouterr().out
    assert "predicted" in shown and "on the board" in shown and "20 of 20 samples" in shown


@pytest.fixture
def elf(digits_run: Path, place: Path, capsys: Capture) -> Path:
    """The run's firmware for an F746."""
    file = place / "build" / "stm32f746_local" / "firmware.elf"
    if not file.is_file():
        answered(capsys, "build", digits_run, "--board", "stm32f746", "--samples", "2", "-o", place)
    return file


@pytest.fixture
def port(elf: Path) -> Iterator[str]:
    """A board with that firmware, at a port."""
    with virtual_board(elf, "stm32f746") as running:
        yield running.url


@needs_board
@pytest.mark.slow
def test_a_board_tells_that_it_was_calibrated_with_another_compiler(
    elf: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From then on the calibration is not used, and whoever asks for times is told why."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    file = kept("stm32f746", measured=False)
    file.parent.mkdir(parents=True)
    file.write_text(replace(shipped()["stm32f746"], compiler="GCC 1.0").to_text(), encoding="utf-8")
    asked = ["mcunet-in0", "--board", "stm32f746"]
    assert str(file) not in answered(capsys, "cost", *asked)["latency_label"]
    assert main(["measure", str(elf), "--board", "stm32f746", "--virtual", "--runs", "1"]) == 0
    assert "calibrated with firmware by GCC 1.0, and this is by GCC" in capsys.readouterr().err
    assert f"{file} is of firmware by GCC 1.0" in answered(capsys, "cost", *asked)["latency_label"]


@needs_board
@pytest.mark.slow
def test_a_board_is_measured_without_its_model(elf: Path, place: Path, capsys: Capture) -> None:
    words = ["measure", "--board", "stm32f746", "--virtual", "--runs", "2"]
    found = answered(capsys, *words, "-o", place)
    assert found["board"] == "stm32f746" and found["runs"] == 2 and "samples" not in found
    again = answered(capsys, words[0], elf, *words[1:])
    # when a byte comes, and its interrupt, is up to this computer: cycles and stack vary a little
    same = ("model_sha256", "firmware_build", "sram_bytes", "flash_bytes", "arena_bytes")
    assert [again[name] for name in same] == [found[name] for name in same]


@needs_board
@pytest.mark.slow
def test_a_port_is_measured_and_must_hold_what_is_asked(
    elf: Path, port: str, digits_run: Path, shared: Path, capsys: Capture
) -> None:
    asked = ["--board", "stm32f746", "--port", port]
    found = answered(capsys, "measure", digits_run, *asked, "--samples", "3", "--layers", "--runs", "1")
    assert (found["samples"], found["wrong_samples"], found["times"]) == (3, 0, "measured")
    assert len(found["cycles_by_operator"]) == len(found["operators"])
    other = shared / "models" / "mlperftiny__ad01_int8.tflite"
    assert "holds another model" in refused(capsys, "measure", other, *asked)
    assert "is for stm32f746, not for stm32f412" in refused(
        capsys, "measure", "--board", "stm32f412", "--port", port
    )
    assert "a real board runs what is on it" in refused(capsys, "measure", elf, *asked, status=2)
    assert "is optimized for speed, not for ram" in refused(
        capsys, "measure", digits_run, *asked, "--optimize", "ram"
    )
    # a file knows no goal: that of the firmware is meant
    file = digits_run / "model.tflite"
    assert answered(capsys, "measure", file, *asked, "--samples", "1", "--runs", "1")["optimize"] == "speed"


@needs_board
@pytest.mark.slow
def test_the_suite_for_real_boards_passes_on_a_virtual_one(port: str, digits_run: Path) -> None:
    """So that whoever has a board finds `pytest tests/hardware --port ...` working."""
    root = Path(__file__).resolve().parents[2]
    words = ["--port", port, "--model", str(digits_run / "model.tflite"), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/hardware", *words],
        cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout and "skipped" not in done.stdout


@needs_board
@pytest.mark.slow
def test_flash_writes_exactly_the_firmware(
    elf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Through the real PlatformIO, up to the last program: an OpenOCD that keeps what it is given."""
    assert flash_image(elf, load_board("stm32f746")) == elf.with_suffix(".bin").read_bytes()
    assert len(flash_image(elf, load_board("stm32f746"))) == firmware_size(elf).flash_bytes
    openocd = tmp_path / "openocd"
    openocd.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/said\n'
        f'file=$(sed -n "s/^program {{\\(.*\\)}} verify reset exit/\\1/p" {tmp_path}/said)\n'
        f'cp "$file" {tmp_path}/flashed\n'
    )
    openocd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert answered(capsys, "flash", elf, "--board", "stm32f746")["flashed"] is True
    assert (tmp_path / "flashed").read_bytes() == elf.read_bytes()
    assert "target/stm32f7x.cfg" in (tmp_path / "said").read_text()
    openocd.write_text("#!/bin/sh\necho 'Error: open failed'\nexit 1\n")
    sentence = refused(capsys, "flash", elf, "--board", "stm32f746")
    assert "could not be written to stm32f746 (open failed): check the cable" in sentence


@needs_board
@pytest.mark.slow
def test_firmware_of_another_board_is_not_flashed(elf: Path) -> None:
    nordic = load_board("nrf52840")
    with pytest.raises(RequestError, match="built for another board, so build one for nrf52840"):
        flash_image(elf, nordic)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["deploy", "x.h5", "--board", "stm32f746", "--virtual"],
            "nor a .tflite or .onnx file",
        ),
        (["deploy", "nothing.tflite", "--board", "stm32f746", "--virtual"], "cannot be read"),
        (["deploy", "a.tflite", "--board", "stm32f746", "--virtual", "--port", "/dev/x"], "use one of them"),
        (["measure", "--board", "stm32f746", "--virtual", "--port", "/dev/x"], "use one of them"),
        (["measure", "--board", "stm32f746", "--port", "/dev/nowhere"], "there is no port /dev/nowhere"),
        (["measure", "--board", "stm32f999"], "there is no board"),
        (["flash", "nothing.tflite", "--board", "stm32f746"], "cannot be read"),
        (
            ["measure", "--board", "stm32f746", "--samples", "3"],
            "--samples would change nothing, as no outputs",
        ),
        (["measure", "--board", "stm32f746", "-o", "x"], "--output would change nothing, as only --virtual"),
        (
            ["measure", "a.elf", "--board", "stm32f746", "--virtual", "-o", "x"],
            "--output would change nothing",
        ),
        (
            ["measure", "a.elf", "--board", "stm32f746", "--virtual", "--std", "2"],
            "--std would change nothing",
        ),
        (
            ["flash", "a.elf", "--board", "stm32f746", "--optimize", "ram"],
            "a finished firmware is written as",
        ),
        (
            ["flash", "a.elf", "--board", "stm32f746", "--port", "loop://"],
            "no firmware is written through a URL",
        ),
        (["build", "a.tflite", "--board", "stm32f746", "--data-dir", "x"], "are of the pictures of --data"),
    ],
)
def test_bad_requests_get_one_sentence(words: list[str], sentence: str, capsys: Capture) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@needs_board
def test_a_virtual_board_needs_firmware(tmp_path: Path, capsys: Capture) -> None:
    words = ["measure", "--board", "stm32f746", "--virtual", "-o", tmp_path]
    assert "build some with `tinynas build MODEL --board stm32f746`" in refused(capsys, *words)
    words = ["measure", tmp_path / "none.elf", "--board", "stm32f746", "--virtual"]
    assert "there is no firmware" in refused(capsys, *words)
    # where there is no virtual board, no firmware would help
    sentence = refused(capsys, "measure", "--board", "nrf52840", "--virtual", "-o", tmp_path, status=2)
    assert "nrf52840 has no virtual board" in sentence and "use a real board (--port)" in sentence
