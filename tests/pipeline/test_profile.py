"""Calibrating a board: what is run, kept and fitted, on a board that answers at once and on a virtual one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tinynas.board import Board, load_board
from tinynas.cli.main import app
from tinynas.cost import EngineRuntime
from tinynas.cost.calibration import read
from tinynas.cost.kept import kept
from tinynas.cost.latency import latency_model
from tinynas.cost.work import DataMemory, list_work
from tinynas.engine.goals import Goal
from tinynas.engine.planner import Arrangement
from tinynas.errors import DeviceError, RunError
from tinynas.networks import build_graph, find_network
from tinynas.pipeline import profile_set
from tinynas.pipeline.bench import Profiled, Run
from tinynas.pipeline.observer import Silent
from tinynas.pipeline.profile import profile, run_network
from tinynas.pipeline.profile_set import design
from tinynas.search.disk import held_alone

BOARD = load_board("stm32f746")
MEMORY = DataMemory.of(BOARD, 4128, 0)


@dataclass
class _Bench:
    """Answers without firmware as a board would whose kernels take seven cycles a value and a hundred a row.

    The cable is out when it is asked for the `gone`th time.
    """

    measured: bool = False
    gone: int = 0
    asked: int = 0

    def require(self, board: Board) -> None:
        """Nothing is needed here."""

    def times(self, board: Board, profiled: Sequence[Profiled]) -> str:
        return f"made up for {board.id} by {len(profiled)}"

    def run(self, arranged: Arrangement, board: Board, folder: Path, *, layers: bool) -> Run:
        self.asked += 1
        if self.asked == self.gone:
            raise DeviceError("the cable is out")
        works = list_work(arranged, MEMORY)
        cycles = tuple(100 * work.task.output.rows + 7 * work.task.output.bytes for work in works)
        return Run(sum(cycles) + 1000, cycles if layers else (), 4128, board.clock_hz, "GCC 12")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small set."""
    monkeypatch.setattr(profile_set, "NETWORKS", dict.fromkeys(Goal, 3))


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


@pytest.mark.parametrize("goal", Goal)
def test_the_set_has_1x1_layers_as_deep_as_those_of_the_spaces(goal: Goal) -> None:
    """The last expansions have 1,152 channels in mobile spaces; maps have a few rows and more there."""
    deep = [
        (graph.tensors[operator.inputs[0]].shape[1], graph.tensors[operator.inputs[0]].shape[3])
        for each in design(BOARD, (goal,), 0)
        for graph in [build_graph(each.genotype)]
        for operator in graph.operators
        if operator.window is not None and operator.window.kernel == (1, 1)
    ]
    assert max(channels for rows, channels in deep if rows > 1) > 800
    assert len({rows for rows, channels in deep if channels > 256}) >= 4


@pytest.mark.usefixtures("quick")
def test_what_a_board_says_is_fitted(tmp_path: Path) -> None:
    """Costs that are in the kernels' loops are found, so networks left out are told well."""
    made = profile(BOARD, _Bench(), [Goal.RAM], 0, tmp_path, Silent())
    assert (made.times, made.measured, made.compiler) == ("made up for stm32f746 by 3", False, "GCC 12")
    assert made.networks == made.errors.networks == 3
    assert made.errors.median < 0.01
    assert made.errors.worst < 0.1
    assert made.arena_offset == 4128
    assert made.step_cycles > 0
    assert not made.stale


@pytest.mark.usefixtures("quick")
def test_what_was_interrupted_goes_on(tmp_path: Path) -> None:
    """Networks that were run are not run again."""
    bench = _Bench(measured=True, gone=3)
    with pytest.raises(DeviceError, match="the cable is out; the same command then goes on from network 3"):
        profile(BOARD, bench, [Goal.RAM], 0, tmp_path, Silent())
    made = profile(BOARD, bench, [Goal.RAM], 0, tmp_path, Silent())
    assert bench.asked == 4
    assert made.networks == 3
    assert made.measured


@pytest.mark.usefixtures("quick")
def test_two_at_a_time_do_not_mix_their_firmware(tmp_path: Path) -> None:
    """They would build in one folder."""
    with held_alone(tmp_path, ""), pytest.raises(RunError, match="another tinynas works in"):
        profile(BOARD, _Bench(), [Goal.RAM], 0, tmp_path, Silent())


@pytest.mark.usefixtures("quick")
def test_a_network_timed_as_a_whole_is_run_again_for_its_operators(tmp_path: Path) -> None:
    """And not the other way round."""
    bench, designed = _Bench(), next(design(BOARD, (Goal.RAM,), 0))
    for layers, asked in ((False, 1), (False, 1), (True, 2), (False, 2), (True, 2)):
        profiled = run_network(designed, BOARD, bench, tmp_path, layers=layers)
        assert bench.asked == asked
        assert bool(profiled.run.cycles) or not layers


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
