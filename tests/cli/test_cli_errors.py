"""What a person sees who asks for something wrong: one line, the right exit status, no traceback."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tinynas.cli.boards
from tinynas.cli.main import main
from tinynas.search import open_run

BUDGET = ["--board", "stm32f746"]


def refused(capsys: pytest.CaptureFixture[str], *words: str, status: int = 2) -> str:
    """The line on standard error by which `words` are refused with `status`; standard output stays empty."""
    assert main(words) == status
    out, err = capsys.readouterr()
    assert out == ""
    *before, line = err.splitlines()
    assert line.startswith("error (")
    assert not any("Traceback" in text or text.startswith("error") for text in before)
    return line


@pytest.mark.parametrize("command", [["boards"], ["cost", "mcunet-in0", "--board"], ["search", "--board"]])
def test_a_wrong_board_suggests_the_nearest(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, *command, "stm32f764")
    assert line.startswith("error (board): there is no board 'stm32f764': did you mean")
    assert "stm32f767" in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--sram", "320MB"], "stm32f746 has 320 KiB (327,680 B) of SRAM"),
        (["--flash", "2m"], "stm32f746 has 1 MiB (1,048,576 B) of flash"),
        (["--sram", "lots"], "'lots' is not a size: write 320k"),
        (["--runtime", "tfl"], "'tfl' is not a runtime: did you mean tflm"),
        (["--effort", "quack"], "choose quick, standard, paper"),
        (["--strategy", "luck"], "choose evolution, random, "),
        (["--population", "-3"], "--population is -3"),
        (["--family", "regnet"], "'regnet' is not a family of networks: did you mean regnet"),
        (["--family", "regnetx", "--supernet-epochs", "3"], "--supernet-epochs has no meaning for a family"),
        (["--rungs", "2"], "--rungs has no meaning for a family scored by shared weights"),
        (["--family", "regnety", "--supernet", "x"], "as regnety is: leave it out"),
        (["--virtual", "--port", "/dev/x"], "--virtual and --port name two boards"),
        (["--deploy-samples", "5"], "add --port or --virtual"),
        (["--latency", "soon"], "'soon' is not a time: write 100ms"),
        (["--latency", "30ms", "--fps", "10"], "give one of them"),
        (["--latency", "30ms", "--runtime", "tflm"], "under the tflm runtime is not known"),
        (["--objective", "speed", "--fps", "10"], "choose accuracy, mnasnet-soft, mnasnet-hard"),
        (["--objective", "mnasnet-hard"], "name that with --latency or --fps"),
        (["--measure-every", "2"], "--measure-every asks a board: add --port or --virtual"),
        (["--strategy", "grid", "--parents", "3"], "--parents would change nothing, as there is no such"),
        (["--supernet", "x", "--samples", "9", "--min-share", "0.05"], "--min-share and --samples would"),
        (["--supernet", "x", "--supernet-epochs", "3"], "trained weights are those of --supernet: leave it"),
        (["--backend", "mxnet"], "--backend 'mxnet' cannot train: choose tensorflow, jax, torch"),
    ],
)
def test_a_search_refuses_before_any_work(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, "search", *BUDGET, *words)
    assert line.startswith("error (request): ")
    assert expected in line


def test_a_backend_that_is_not_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'tinynas[jax]'" in refused(capsys, "search", *BUDGET, "--backend", "jax")


def test_an_unknown_family_is_suggested_a_known_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean anynetx-a" in refused(capsys, "space", *BUDGET, "--family", "anynet-a")


def test_a_budget_no_regnet_fits_is_answered_with_the_smallest_need(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "search", *BUDGET, "--family", "regnetx", "--sram", "1k", "--samples", "1")
    assert "no network of the regnetx family fits 1 KiB (1,024 B) of SRAM" in line
    assert "the smallest needs" in line and not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["space", "search"])
def test_a_budget_nothing_fits_is_answered_with_the_smallest_need(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, command, *BUDGET, "--sram", "2k", "--samples", "20")
    assert "2 KiB (2,048 B) of SRAM" in line
    assert "smallest needs" in line


@pytest.mark.parametrize("command", ["space", "search"])
def test_an_empty_data_folder(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    run = ["--run", str(tmp_path / "run")] if command == "search" else []
    line = refused(capsys, command, *BUDGET, "--data", str(folder), *run)
    assert line.startswith(f"error (data): {folder} holds no pictures")


def test_the_run_folder_of_another_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_run(tmp_path / "run", {"board": "rp2040", "seed": 3}):
        pass
    line = refused(capsys, "search", *BUDGET, "--run", str(tmp_path / "run"), status=1)
    assert line.startswith("error (run): ")
    assert 'board: "rp2040" there, "stm32f746" here' in line
    assert "seed: 3 there, 0 here" in line


def test_a_network_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean mcunet-in" in refused(capsys, "cost", "mcunet-in9", *BUDGET)
    assert "'ir_k3' lacks" in refused(capsys, "cost", "r8x1", "ir_k3", "fc_c10", *BUDGET)


@pytest.mark.parametrize("content", [b"", b"hello, world", b"\x1c\0\0\0TFL3" + bytes(200)])
def test_a_damaged_tflite(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(content)
    line = refused(capsys, "cost", str(file), *BUDGET)
    assert line.startswith("error (model): ")
    assert "net.tflite" in line


def test_classes_do_not_change_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "cost", str(tmp_path / "net.tflite"), *BUDGET, "--classes", "3")
    assert "--classes cannot change a .tflite file" in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--native", "96"], "--native, --channels and --classes together"),
        (["--native", "96", "--channels", "3", "--classes", "2", "--data", "digits"], "by --data alone"),
        (["--native", "96", "--data-dir", "x"], "--data-dir would change nothing, as --native"),
        (["--plot", "space.bmp"], "must end in .png or .svg"),
        (["--plot", "nowhere/at/all.png"], "folder that does not exist"),
    ],
)
def test_a_space_that_is_not_described(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(capsys, "space", *BUDGET, *words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["serach"], "no such command 'serach'. Did you mean 'search'? See `tinynas --help`"),
        (["search", "--bord", "x"], "see `tinynas search --help`"),
        (["search"], "missing option '--board'"),
        (["search", *BUDGET, "--population", "x"], "'--population'"),
        (
            ["cost", "x", *BUDGET, "--optimize", "fast"],
            "invalid value for '--optimize': 'fast' is not one of",
        ),
        (["cost", "mcunet-in0", *BUDGET, "--mean", "0.5"], "--mean and --std are of the pictures of --data"),
        (["pick", "x", "--list", "--virtual"], "--virtual would change nothing, as --list exports nothing"),
        (["pick", "x", "--list", "--all", "--data-dir", "x"], "--data-dir and --all would change nothing"),
        (["cost", "mcunet-in0", *BUDGET, "--data-dir", "x"], "are of the pictures of --data: name those"),
        (["plan", "x.onnx", "--data", "x.npy", "--mean", "0.5"], "x.npy holds samples as the model takes"),
    ],
)
def test_a_command_line_that_is_not_understood(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(capsys, *words)


def test_a_group_of_commands_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board"]) == 2
    shown, said = capsys.readouterr()
    assert "board run" in shown
    assert said == "error (command line): a command is missing; see `tinynas board --help`\n"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["plan", "mcunet-in0"], "--plot"),
        (["space", *BUDGET], "--plot"),
    ],
)
def test_a_folder_in_place_of_a_file_is_refused_before_any_work(
    words: list[str], option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.png").mkdir()
    assert "is a folder: name a file" in refused(capsys, *words, option, str(tmp_path / "x.png"))
    (tmp_path / "file").touch()
    line = refused(capsys, *words, option, str(tmp_path / "file" / "x.png"))
    assert "lies in a file, not in a folder" in line


def test_a_folder_of_other_things_is_refused_before_stage_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinynas.pipeline.run.space_report", lambda *_: pytest.fail("stage 1 was begun"))
    (tmp_path / "thesis.tex").touch()
    line = refused(capsys, "search", *BUDGET, "--run", str(tmp_path), status=1)
    assert "is not a run but holds other things, such as 'thesis.tex'" in line
    line = refused(capsys, "search", *BUDGET, "--run", str(tmp_path / "thesis.tex"), status=1)
    assert "is a file, and a run needs a folder" in line


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_run(tmp_path / "first", {"seed": 0}):
        pass
    line = refused(capsys, "show", str(tmp_path / "frist"))
    assert f"did you mean '{tmp_path / 'first'}'?" in line


def test_json_errors_are_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "stm32f764", "--json"]) == 2
    printed = json.loads(capsys.readouterr().out)
    assert printed["culprit"] == "board"
    assert printed["error"].startswith("there is no board 'stm32f764'")


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(tinynas.cli.boards, "load_board", fail)


def test_no_space_on_the_disk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/runs/a"))
    line = refused(capsys, "boards", status=1)
    assert line.startswith("error (disk): no space is left on the disk to write '/runs/a': free some")


def test_other_files_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _failing(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "/root/a"))
    assert "'/root/a' cannot be used (permission denied)" in refused(capsys, "boards", status=1)


def test_ctrl_c_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some commands keep what they have, others do not."""
    _failing(monkeypatch, KeyboardInterrupt())
    assert main(["boards"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    monkeypatch.setattr("tinynas.cli.search.load_board", tinynas.cli.boards.load_board)
    assert main(["search", "--board", "stm32f746"]) == 130
    assert capsys.readouterr().err == "interrupted: run the same command again to go on\n"


def test_a_defect_is_one_line_unless_debugged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TINYNAS_DEBUG", raising=False)
    _failing(monkeypatch, ZeroDivisionError("division by zero"))
    line = refused(capsys, "boards", status=1)
    assert "defect of tinynas (ZeroDivisionError: division by zero)" in line
    assert "TINYNAS_DEBUG=1" in line
    monkeypatch.setenv("TINYNAS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["boards"])


def test_a_reader_that_leaves_is_no_error() -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tinynas", "boards", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    errors = program.stderr.read()
    program.stderr.close()
    assert program.wait() == 1
    assert errors == b""
