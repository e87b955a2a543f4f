"""Every command on good requests: what it prints, that its JSON is pure, and that TensorFlow stays out."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from tinynas import __version__
from tinynas.board import board_ids, load_board
from tinynas.cli.effort_options import HELP
from tinynas.cli.main import app, main
from tinynas.pipeline.effort import SHARED_WEIGHTS, Effort
from tinynas.search import Candidate, Footprint, Origin, open_run


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command there is: ("boards",), ("board", "run")."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


COMMANDS = list(commands(typer.main.get_command(app)))
SMALL = ["--native", "8", "--channels", "1", "--classes", "10", "--samples", "20"]


def answered(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Standard output of `words`, which must succeed."""
    assert main(words) == 0
    return capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """The one object that `words` print with ``--json``."""
    return json.loads(answered(capsys, *words, "--json"))


@pytest.mark.parametrize("words", [["boards"], ["cost", "mcunet-in0", "-b", "rp2040"], ["show", "--help"]])
def test_answers_without_heavy_imports(words: list[str]) -> None:
    heavy = ["tensorflow", "keras", "jax", "torch", "matplotlib", "sklearn", "PIL"]
    code = (
        f"import sys; from tinynas.cli.main import main; status = main({words}); "
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert answered(capsys, "--version") == f"tinynas {__version__}\n"


def test_no_words_at_all_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    printed = answered(capsys)
    assert len(COMMANDS) >= 12 and all(command[0] in printed for command in COMMANDS)


GROUPS: list[tuple[str, ...]] = [(), ("board",)]


@pytest.mark.parametrize("command", [*GROUPS, *COMMANDS], ids=" ".join)
def test_the_example_in_the_help_is_a_real_command(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    printed = answered(capsys, *command, "--help")
    assert "--json" in printed or command in GROUPS
    assert printed.count("Example:") == 1
    example = re.search(r"Example: (tinynas .*)", printed)
    assert example is not None
    program, *words = shlex.split(example[1])
    assert program == "tinynas" and tuple(words[: len(command)]) == command
    # parses the words as a call would, and raises a usage error where one does not exist
    found: Any = typer.main.get_command(app)
    while hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    context = found.make_context(found.name, words)
    assert all(context.params[word[2:]] is not None for word in words if word.startswith("--"))


def test_boards_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answered(capsys, "boards")
    assert all(re.search(rf"^{board} ", rows, re.MULTILINE) for board in board_ids())
    assert re.search(r"^stm32f746 +cortex-m7 +yes +216 MHz +320 KiB +1 MiB ", rows, re.MULTILINE)
    assert {board["id"] for board in as_json(capsys, "boards")["boards"]} == set(board_ids())


def test_one_board(capsys: pytest.CaptureFixture[str]) -> None:
    printed = answered(capsys, "boards", "stm32f746")
    assert "320 KiB (327,680 B)" in printed
    assert re.search(r"DTCM +dtcm +0x20000000 +0x2000ffff +64 KiB \(65,536 B\) +yes", printed)
    assert as_json(capsys, "boards", "stm32f746") == load_board("stm32f746").to_dict()


def test_space_chooses_and_prints_the_unit_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "space.svg"
    assert main(["space", "--board", "stm32f746", "--sram", "64k", *SMALL, "--plot", str(plot)]) == 0
    out, err = capsys.readouterr()
    assert "budget: 64 KiB (65,536 B) of SRAM, 1 MiB (1,048,576 B) of flash, runtime engine" in err
    assert out.count("<- chosen") == 1
    assert re.search(r"2,160 networks in .*: [\d,]+ a second", out)
    assert plot.read_text().lstrip().startswith("<?xml")


def test_space_lists_all_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    row = re.compile(r"^w[\d.]+-r\d+ ", re.MULTILINE)
    words = ["space", "--board", "stm32f746", "--sram", "64k", *SMALL]
    best = answered(capsys, *words)
    assert re.search(r"^\d+ of 108 spaces have networks that fit; the best 15 are shown", best, re.MULTILINE)
    assert len(row.findall(best)) == 15
    assert len(row.findall(answered(capsys, *words, "--all"))) == 108


def test_space_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    report = as_json(capsys, "space", "--board", "stm32f746", "--sram", "64k", *SMALL)
    assert report["sram_bytes"] == 65536
    assert len(report["spaces"]) == 108
    chosen = next(row for row in report["spaces"] if row["name"] == report["chosen"])
    eligible = [row for row in report["spaces"] if row["mean_macs"] and row["share"] >= report["min_share"]]
    assert chosen["mean_macs"] == max(row["mean_macs"] for row in eligible)


def test_space_of_another_family(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["space", "--board", "rp2040", "--family", "regnety", *SMALL[:-1], "2", "--runtime", "tflm"]
    report = as_json(capsys, *words)
    assert (report["family"], report["samples"], len(report["spaces"])) == ("regnety", 2, 108)
    chosen = next(row for row in report["spaces"] if row["name"] == report["chosen"])
    assert re.fullmatch(r"w(8-16|16-32|32-64)-a(8-16|16-32|32-64)-r\d+", chosen["name"])
    assert chosen["share"] >= report["min_share"]


def test_cost_of_a_published_network(capsys: pytest.CaptureFixture[str]) -> None:
    ours = answered(capsys, "cost", "mcunet-in2", "--board", "stm32f746")
    theirs = answered(capsys, "cost", "mcunet-in2", "--board", "stm32f746", "--runtime", "tflm")
    for printed in (ours, theirs):
        assert re.search(r"^MACs +67,287,200$", printed, re.MULTILINE)
        assert re.search(r"^parameters as published +729,392$", printed, re.MULTILINE)
        assert printed.count("<- peak") == 1
    assert re.search(r"^runtime +engine$", ours, re.MULTILINE) and "it fits" in ours
    assert re.search(r"it does not fit: .*too much SRAM", theirs)
    for runtime in ("engine", "tflm"):
        bill = as_json(capsys, "cost", "mcunet-in2", "--board", "stm32f767", "--runtime", runtime)
        assert (bill["macs"], bill["params"], bill["fits"]) == (67_287_200, 729_392, True)
        assert sum(bill["sram_pieces_bytes"].values()) == bill["sram_bytes"]
        assert sum(bill["flash_pieces_bytes"].values()) == bill["flash_bytes"]
        assert sum(row["macs"] for row in bill["operators"]) == bill["macs"]


def test_cost_says_whether_a_network_is_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["cost", "mcunet-in0", "--board", "stm32f746"]
    time = as_json(capsys, *words)["latency_ms"]
    for allowed, fits in ((1.1 * time, True), (0.9 * time, False)):
        bill = as_json(capsys, *words, "--latency", f"{allowed:.6f}ms")
        assert (bill["fits"], bill["latency_budget_ms"]) == (fits, pytest.approx(allowed))
    printed = answered(capsys, *words, "--fps", "1000")
    assert "it does not fit" in printed and "ms too slow" in printed and "too much" not in printed
    assert as_json(capsys, *words, "--runtime", "tflm")["latency_ms"] is None


def test_a_genotype_needs_no_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["r48x3", "conv_k3_s2_c16", "ir_k5_s2_e4_c24", "fc_c10"]
    spread = as_json(capsys, "cost", *words, "--board", "rp2040")
    assert spread == as_json(capsys, "cost", " ".join(words), "--board", "rp2040")
    assert spread["genotype"] == " ".join(words)
    fewer = as_json(capsys, "cost", *words, "--board", "rp2040", "--classes", "2")
    assert spread["macs"] - fewer["macs"] == 8 * 24


def test_cost_of_a_file(capsys: pytest.CaptureFixture[str], shared: Path) -> None:
    file = shared / "models" / "mlperftiny__vww_96_int8.tflite"
    bill = as_json(capsys, "cost", str(file), "--board", "rp2040", "--runtime", "tflm")
    # the head that `tflite_micro` reports for this model (reference kernels, as on a core without DSP)
    assert bill["sram_pieces_bytes"]["activations"] + bill["sram_pieces_bytes"].get("scratch", 0) == 73_728
    assert bill["params"] is None
    assert bill["weights_and_biases"] == sum(row["weights"] for row in bill["operators"])
    assert bill["fits"] is True
    ours = as_json(capsys, "cost", str(file), "--board", "rp2040")
    assert ours["sram_bytes"] == as_json(capsys, "plan", str(file))["arena_bytes"] < 32_000
    assert ours["flash_bytes"] < bill["flash_bytes"]


def test_every_number_of_effort_is_an_option() -> None:
    assert set(HELP) == {field.name for field in fields(Effort)}


RESULT = {
    "genotype": "r8x1 conv_k3_s1_c8 fc_c10", "space": "w0.3-r8", "macs": 5_000_000, "params": 12_345,
    "sram_bytes": 30_720, "sram_budget_bytes": 61_440,
    "flash_bytes": 262_144, "flash_budget_bytes": 1_048_576,
    "accuracy_float": 0.975, "accuracy_int8": 0.9444, "warning": "quantisation lost 3.1 points",
    "test_pictures": 360, "head_bytes": 12_288, "model": "runs/x/model.tflite", "seconds": {"space": 2.0},
}  # fmt: skip


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """A search that trains nothing: what it was asked lands in the list."""
    pytest.importorskip("tinynas.pipeline.run")
    calls: list[Any] = []

    def run_search(request: Any, path: Path, observer: Any, onto: Any) -> dict[str, Any]:
        calls.append((request, path, onto))
        observer.note("space w0.3-r8")
        observer.begin("supernet", 20)
        for step in range(1, 21):
            observer.advance(step, f"loss {1 / step:.2f}")
        observer.end()
        return RESULT

    monkeypatch.setattr("tinynas.pipeline.run.run_search", run_search)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.chdir(tmp_path)
    return calls


def test_search_takes_every_option(searched: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = "--board stm32f746 --sram 60k --flash 1m --effort standard --seed 7 --elastic 0 "
    words += "--strategy regularised"
    numbers = "--population 11 --mutation-probability 0.2 --largest-epochs 1.5 --held-out 0.3"
    assert main(["search", *words.split(), *numbers.split()]) == 0
    ((request, path, onto),) = searched
    assert onto is None
    assert (request.budget.sram_bytes, request.budget.flash_bytes) == (61_440, 1_048_576)
    assert (request.seed, request.strategy, request.elastic) == (7, "regularised", 0)
    effort = request.effort
    assert (effort.population, effort.mutation_probability, effort.largest_epochs) == (11, 0.2, 1.5)
    assert effort.iterations == SHARED_WEIGHTS.efforts["standard"].iterations
    assert re.fullmatch(r"runs/stm32f746-60k-digits-s7-[0-9a-f]{6}", str(path))
    out, err = capsys.readouterr()
    assert "budget: 60 KiB (61,440 B) of SRAM" in err
    assert f"run: {path}" in err
    assert "supernet: 10 of 20" in err
    assert "30 KiB (30,720 B), 50 % of 60 KiB (61,440 B)" in out
    assert "97.50 % float, 94.44 % int8 (360 pictures)" in out
    assert "warning: quantisation lost 3.1 points" in out
    assert "runs/x/model.tflite" in out


def test_search_in_json(searched: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert as_json(capsys, "search", "--board", "rp2040", "--run", "here") == RESULT | {"run": "here"}
    assert searched[0][1] == Path("here")


def test_search_minds_time_where_asked(searched: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "--board", "stm32f746", "--sram", "60k", "--fps", "20"]
    assert main(words) == 0
    said = capsys.readouterr().err
    # not only at its end: whoever calibrated a board wants to know whether that is used
    assert "50 ms an inference" in said and "times: modelled" in said
    assert main([*words, "--objective", "mnasnet-soft", "--measure-every", "3", "--virtual"]) == 0
    assert "50 ms an inference as the target" in capsys.readouterr().err
    (limited, path, _), (weighed, other, onto) = searched
    assert limited.limits.latency_ms == 50 and path != other
    assert (weighed.budget.latency_ms, weighed.limits.latency_ms) == (50, None)
    assert (weighed.measure_every, weighed.measure_on, onto.target.suffix) == (3, "virtual", "-virtual")


def test_search_deploys_where_asked(searched: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "--board", "rp2040", "--run", "here"]
    for asked in (["--port", "/dev/x"], ["--virtual", "--deploy-samples", "7"], []):
        answered(capsys, *words, *asked)
    requests, ontos = zip(*((request, onto) for request, _, onto in searched), strict=True)
    assert requests[0] == requests[1] == requests[2]
    assert (ontos[0].target.port, ontos[0].samples) == ("/dev/x", 100)
    assert (ontos[1].target.suffix, ontos[1].samples, ontos[2]) == ("-virtual", 7, None)


@pytest.fixture
def make_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[bool], Path]:
    """Writes a run that has three networks, and its result where asked."""

    def make(done: bool) -> Path:
        from tinynas.board import make_budget
        from tinynas.cost.runtime import find_runtime
        from tinynas.spaces import optimise_space

        board = load_board("stm32f746")
        budget = make_budget(board, "64k", None)
        report = optimise_space(
            board, budget, find_runtime("tflm"), native=8, in_channels=1, classes=10, samples=5
        )
        request = {
            "board": "stm32f746",
            "sram_bytes": 65536,
            "flash_bytes": 1048576,
            "seed": 0,
            "data": "digits",
        }
        with open_run(tmp_path / "run", request) as run:
            run.write_json("space.json", report.to_dict())
            run.write_json("supernet.json", {})
            for accuracy, macs in ((0.5, 100), (0.9, 300), (0.8, 400)):
                footprint = Footprint(macs=macs, params=10, sram_bytes=2048, flash_bytes=4096)
                run.journal.append(Candidate(f"net {macs}", {}, accuracy, footprint, 0, Origin.RANDOM))
            run.write_json("times.json", {"space": 3.0, "supernet": 80.0})
            if done:
                run.write_json("result.json", RESULT)
        return tmp_path / "run"

    return make


def test_show_an_unfinished_run(make_run: Callable[[bool], Path], capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(False)
    printed = answered(capsys, "show", str(run))
    assert "searching (unfinished: the same search command goes on)" in printed
    assert "64 KiB (65,536 B) of SRAM, 1 MiB (1,048,576 B) of flash" in printed
    # the third network is beaten by the second
    assert "3 networks scored; 2 that no other beats" in printed
    assert re.search(r"90\.00 % +2,048 B +300 ", printed)
    assert "400" not in re.findall(r"2,048 B +(\d+)", printed)
    assert "1 min 23 s (space 3.0 s, supernet 1 min 20 s)" in printed


def test_show_a_finished_run(make_run: Callable[[bool], Path], capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(True)
    assert "97.50 % float, 94.44 % int8" in answered(capsys, "show", str(run))
    shown = as_json(capsys, "show", str(run))
    assert (shown["state"], shown["candidates"], len(shown["front"])) == ("done", 3, 2)
    assert shown["best"]["accuracy_shared_weights"] == 0.9
    assert shown["result"] == RESULT
