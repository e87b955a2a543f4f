"""Calibrating a board: what is run, kept and fitted, on a board that answers at once and on a virtual one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tinynas.board import load_board
from tinynas.cli.main import app
from tinynas.cost import EngineRuntime
from tinynas.cost.calibration import read
from tinynas.cost.latency import kept, latency_model
from tinynas.cost.work import DataMemory, list_work
from tinynas.engine.goals import Goal
from tinynas.engine.planner import Arrangement
from tinynas.errors import DeviceError
from tinynas.networks import build_graph, find_network
from tinynas.pipeline import profile as profiling
from tinynas.pipeline import profile_set
from tinynas.pipeline.observer import Silent
from tinynas.pipeline.profile import Run, profile
from tinynas.pipeline.profile_set import design
from tinynas.pipeline.target import VirtualTarget

BOARD = load_board("stm32f746")
MEMORY = DataMemory.of(BOARD, 4128, 0)

Answer = Callable[..., Run]


def _answer(arranged: Arrangement, *_: object, layers: bool = True) -> Run:
    """What a board would say whose kernels take seven cycles a value and a hundred a row."""
    works = list_work(arranged, MEMORY)
    cycles = tuple(100 * work.output.rows + 7 * work.output.bytes for work in works)
    return Run(sum(cycles) + 1000, cycles, 4128, BOARD.clock_hz, "GCC 12")


class _Target(VirtualTarget):
    def require(self, board: object) -> None:
        """Nothing is needed here."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small set, and a board that answers without firmware."""
    monkeypatch.setattr(profile_set, "NETWORKS", dict.fromkeys(Goal, 3))
    monkeypatch.setattr(profiling, "run_arranged", _answer)


def test_the_set_is_the_same_for_a_seed_and_fits() -> None:
    """Every goal has networks, with operators of every kind that the spaces make."""
    runtime = EngineRuntime()
    made = list(design(BOARD, tuple(Goal), 3))
    assert made == list(design(BOARD, tuple(Goal), 3)) != list(design(BOARD, tuple(Goal), 4))
    assert {each.goal for each in made} == set(Goal)
    kinds = set()
    for each in made:
        graph = build_graph(each.genotype)
        assert runtime.sram(graph, BOARD).total < BOARD.sram_bytes
        kinds |= {operator.kind.value for operator in graph.operators}
    assert kinds >= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL", "MEAN", "LOGISTIC"}


@pytest.mark.usefixtures("quick")
def test_what_a_board_says_is_fitted(tmp_path: Path) -> None:
    """Costs that are in the kernels' loops are found, so networks left out are told well."""
    made = profile(BOARD, _Target(), [Goal.RAM], 0, tmp_path, Silent())
    assert made.networks == made.errors.networks == 3
    assert made.errors.median < 0.01
    assert made.errors.worst < 0.1
    assert made.arena_offset == 4128
    assert made.step_cycles > 0
    assert not made.stale


@pytest.mark.usefixtures("quick")
def test_what_was_interrupted_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Firmwares that have answered are not built again."""
    calls = 0

    def fails_at_third(arranged: Arrangement, *_: object, layers: bool = True) -> Run:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise DeviceError("the cable is out")
        return _answer(arranged)

    monkeypatch.setattr(profiling, "run_arranged", fails_at_third)
    with pytest.raises(DeviceError):
        profile(BOARD, _Target(), [Goal.RAM], 0, tmp_path, Silent())
    made = profile(BOARD, _Target(), [Goal.RAM], 0, tmp_path, Silent())
    assert calls == 4
    assert made.networks == 3


@pytest.mark.slow
def test_a_virtual_board_is_calibrated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The whole command: firmware, board, fit, file; and the model that comes of it is the one used."""
    pytest.importorskip("unicorn")
    pytest.importorskip("platformio")
    monkeypatch.setattr(profile_set, "NETWORKS", dict.fromkeys(Goal, 2))
    monkeypatch.setattr(profile_set, "_MOST_MACS", 100_000)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    told = CliRunner().invoke(
        app, ["profile", "--board", "stm32f412", "--virtual", "--optimize", "ram", "--json"]
    )
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    place = kept("stm32f412", measured=False)
    assert answer["calibration"] == str(place)
    assert answer["networks"] == 2
    made = read(place)
    assert made.compiler.startswith("GCC")
    assert not place.with_suffix("").exists()
    model = latency_model(load_board("stm32f412"), EngineRuntime())
    assert model is not None
    assert model.label.endswith(made.errors.words)
    assert 10 < model.milliseconds(build_graph(find_network("mcunet-in0"))) < 1000
