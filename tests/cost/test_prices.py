"""What kernels cost on a board: whoever asks for speed there gets the least modelled time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.board import Budget, load_board
from tinynas.cost import EngineRuntime, aim_of, aim_within
from tinynas.cost.latency import latency_model
from tinynas.cost.prices import BoardPrice, price_on
from tinynas.engine.alike import tasks_of
from tinynas.engine.choosing import choose_kernels
from tinynas.engine.goals import Aim, Goal, instructions
from tinynas.engine.kernels import CATALOGUE
from tinynas.engine.tasks import Task, stack
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import read_tflite
from tinynas.graph.typical import with_typical_constants
from tinynas.networks import build_graph, find_network
from tinynas.spaces import Pictures, find_family

F746 = load_board("stm32f746")
PRESETS = ("mcunet-in0", "mcunet-in1", "regnetx-200mf")


def _milliseconds(graph: Graph, aim: Aim) -> float:
    # by what tinynas ships, as the plan was made, and not by what this machine has timed
    runtime = EngineRuntime(aim)
    model = latency_model(F746, runtime)
    assert model is not None
    return model.milliseconds(graph)


@pytest.fixture(autouse=True)
def nothing_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No calibration that the user made."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_speed_is_never_slower_than_balanced(name: str) -> None:
    """Of networks of the spaces, on the whole board."""
    graph = build_graph(find_network(name))
    whole = Budget(F746.sram_bytes, F746.flash_bytes)
    balanced, fast = (
        _milliseconds(graph, aim_within(goal, whole, F746)) for goal in (Goal.BALANCED, Goal.SPEED)
    )
    assert fast <= balanced


def test_nor_of_real_models(shared: Path) -> None:
    """Where plans by instructions are, for each of these."""
    for name in ("ad01_int8", "kws_ref_model", "vww_96_int8", "pretrainedResnet_quant"):
        graph = simplify(read_tflite(shared / "models" / f"mlperftiny__{name}.tflite"))
        balanced, fast = (Aim(goal, price=price_on(F746)) for goal in (Goal.BALANCED, Goal.SPEED))
        best = _milliseconds(graph, fast)
        assert best <= _milliseconds(graph, balanced)
        assert best < _milliseconds(graph, replace(fast, price=instructions))


def test_aims_on_a_board_are_priced_by_its_cycles() -> None:
    """Whoever makes them; the smallest plans are the same everywhere."""
    budget = Budget(F746.sram_bytes, F746.flash_bytes)
    request = {"sram_bytes": budget.sram_bytes, "flash_bytes": budget.flash_bytes, "optimize": "speed"}
    assert aim_within(Goal.SPEED, budget, F746) == aim_of(request, F746)
    assert aim_of({}, F746).price == price_on(load_board("stm32f746")) != price_on(load_board("stm32h743"))
    assert hash(aim_of({}, F746)) == hash(aim_of({}, load_board("stm32f746")))
    graph = with_typical_constants(simplify(build_graph(find_network("mcunet-in0"))))
    assert choose_kernels(graph, aim_of({}, F746)) == choose_kernels(graph, Aim())


def test_a_board_that_nobody_timed_is_priced_by_instructions() -> None:
    """So is one with the name of a timed one and another core, and a core without DSP."""
    assert price_on(load_board("nrf52840")) is instructions
    assert price_on(replace(F746, core="cortex-m4")) is instructions
    assert price_on(load_board("rp2040")) is instructions
    assert isinstance(price_on(F746), BoardPrice)


@pytest.mark.parametrize("name", PRESETS)
def test_prices_are_those_that_an_estimate_adds_up(name: str) -> None:
    """On a board whose coupled memory is where the arena begins."""
    graph = with_typical_constants(simplify(build_graph(find_network(name))))
    aim = Aim(Goal.SPEED, price=price_on(F746))
    model = latency_model(F746, EngineRuntime(aim))
    assert model is not None
    cycles = sum(map(aim.price, tasks_of(graph), choose_kernels(graph, aim)))
    assert model.estimate(graph) == pytest.approx(1e3 * cycles / F746.clock_hz)


@given(
    family=st.sampled_from(["mobile", "regnetx", "regnety", "anynetx-a"]),
    board=st.sampled_from(["stm32f746", "stm32h743", "stm32f412", "nrf52840"]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=20, deadline=None)
def test_prices_of_many_are_those_of_each(family: str, board: str, seed: int) -> None:
    """To the last bit, by every kernel that any operator of its kind can have."""
    rng, spaces = np.random.default_rng(seed), find_family(family).spaces(Pictures(64, 3, 10))
    space = spaces[int(rng.integers(len(spaces)))]
    graph = build_graph(space.genotype(space.sample(rng)))
    groups: dict[object, list[Task]] = defaultdict(list)
    for task in tasks_of(graph):
        groups[task.kind, task.window, task.other is None].append(task)
    price = price_on(load_board(board))
    for tasks in groups.values():
        for kernel in CATALOGUE:
            if kernel.kind is tasks[0].kind:
                many = np.broadcast_to(price(stack(tasks), kernel), len(tasks))
                assert many.tolist() == [price(task, kernel) for task in tasks]
