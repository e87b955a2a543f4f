"""``tinynas compare`` as people call it: what it shows of a folder, one sentence for what cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tinynas.cli.main import main
from tinynas.pipeline.strategies import STRATEGIES
from tinynas.search.curves import Curve, append_curve
from tinynas.search.run_folder import CURVES, REQUEST, SPACE

BOARD = ["--board", "stm32f746"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "compared"
    path.mkdir()
    request = {"kind": "comparison", "board": "stm32f746", "sram_bytes": 8192, "data": "x/toys.npz"}
    (path / REQUEST).write_text(json.dumps(request))
    (path / SPACE).write_text(json.dumps({"chosen": "w0.2-r8"}))
    for strategy, bonus in (("random", 0.0), ("grid", 0.2)):
        for seed in range(3):
            scores = tuple(0.1 * seed + 0.05 * i + bonus for i in range(4 if bonus else 8))
            append_curve(path / CURVES, Curve(strategy, seed, 8, scores, "r8x1 fc_c2"))
    return path


def test_a_folder_alone_is_shown(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "compare.svg"
    assert main(["compare", "--run", str(folder), "--plot", str(plot)]) == 0
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    # best first: mean, standard deviation, worst, median, best, evaluations to the level, who got there
    assert "random 3 8 45.00 % 10.00 % 35.00 % 45.00 % 55.00 % 8 2 of 3" in lines
    assert "grid 3 4 45.00 % 10.00 % 35.00 % 45.00 % 55.00 % 4 2 of 3" in lines
    assert "toys, stm32f746, 8 KiB of SRAM, space w0.2-r8" in plot.read_text()


def test_a_comparison_for_time_is_judged_by_its_reward_and_says_who_is_in_time(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    request = json.loads((folder / REQUEST).read_text()) | {"objective": "mnasnet-hard", "latency_ms": 10.0}
    (folder / REQUEST).write_text(json.dumps(request))
    (folder / CURVES).unlink()
    for seed, time in enumerate((5.0, 20.0)):
        append_curve(folder / CURVES, Curve("grid", seed, 2, (0.4, 0.6), "r8x1 fc_c2", (8.0, time)))
    plot = tmp_path / "compare.svg"
    assert main(["compare", "--run", str(folder), "--plot", str(plot)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "judged by mnasnet-hard, a reward with 10 ms an inference as target" in out
    # worth 0.6 in time, and 0.4 where the more accurate network takes twice as long
    assert "0.5000" in out and "50.00 % 6.5 ms 2 of 2" in out
    assert "8 KiB of SRAM, 10 ms" in plot.read_text()
    assert main(["compare", "--run", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (grid,) = found["strategies"]
    assert found["objective"] == "mnasnet-hard" and grid["final_best"] == [0.6, 0.4]
    assert (grid["best_accuracy"], grid["best_latency_ms"]) == ([0.6, 0.4], [5.0, 8.0])
    assert grid["best_within_latency"] == 2


def test_the_same_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--run", str(folder), "--level", "0.5", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [each["strategy"] for each in shown["strategies"]] == ["random", "grid"]
    grid = shown["strategies"][1]
    assert grid["evaluations_to_level"] == [None, None, 3] and grid["evaluations_to_level_median"] is None
    assert grid["final_best_mean"] == pytest.approx(0.45) and grid["level"] == 0.5
    assert len(grid["best_so_far_quartiles"]["median"]) == shown["evaluations"] == 8


@pytest.mark.parametrize("command", ["search", "compare"])
def test_help_names_every_strategy(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    # a name may be broken over two lines of a narrow table
    text = re.sub(r"[\s│]+", "", capsys.readouterr().out)
    assert all(name in text for name in STRATEGIES)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name a comparison to look at with --run, or start one with --board"),
        (["--run", "absent"], "'absent' is not the folder of a comparison"),
        (
            ["--run", "absent", "--level", "0.5", "--seeds", "5"],
            "--seeds would change nothing, as a comparison",
        ),
        (["--run", "absent", "-n", "9", "--population", "3"], "--evaluations and --population would change"),
        (
            [*BOARD, "-n", "9", "--iterations", "3"],
            "--iterations would change nothing, as --evaluations says",
        ),
        (
            [*BOARD, "--strategies", "grid,nsga2", "--parents", "3"],
            "no such setting of grid or nsga2: leave it",
        ),
        ([*BOARD, "--supernet", "x", "--batch-size", "8"], "--batch-size would change nothing, as the space"),
        ([*BOARD, "--finetune-epochs", "3"], "no such option: --finetune-epochs"),
        ([*BOARD, "--strategies", "grid,luck"], "'luck' is not a strategy: choose evolution, random"),
        ([*BOARD, "--strategies", "grid,grid"], "--strategies must name different strategies"),
        ([*BOARD, "--seeds", "0"], "--evaluations and --seeds must be at least 1"),
        ([*BOARD, "--evaluations", "0"], "--evaluations and --seeds must be at least 1"),
        ([*BOARD, "--family", "regnetx"], "must be trained equally long: say --rungs 1"),
        ([*BOARD, "--plot", "a.jpg"], "must end in .png or .svg"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *words]) == 2
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("error (") and sentence in last
    assert captured.out == "" and not list(tmp_path.iterdir())
