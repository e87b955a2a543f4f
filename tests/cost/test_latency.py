"""Models of latency: what they answer, and how their words say how far to trust them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinynas.board import load_board
from tinynas.cost import EngineRuntime, TflmRuntime
from tinynas.cost.latency import CalibratedModel, latency_model
from tinynas.engine.goals import Aim, Goal
from tinynas.networks import build_graph, find_network

BOARDS = ("stm32f746", "stm32f412", "stm32h743", "stm32l4r5")


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("goal", Goal)
def test_layers_add_up_and_are_those_the_runtime_runs(board: str, goal: Goal) -> None:
    """One time an operator of what runs."""
    target, runtime = load_board(board), EngineRuntime(Aim(goal))
    model = latency_model(target, runtime)
    assert model is not None
    graph = build_graph(find_network("mcunet-in0"))
    layers = model.layers(graph)
    assert len(layers) == len(runtime.runs(graph).operators)
    assert min(layers) > 0
    assert sum(layers) == pytest.approx(model.milliseconds(graph))


@pytest.mark.parametrize("board", BOARDS)
def test_an_estimate_is_near(board: str) -> None:
    """Without a plan it is only not known which memory a feature map is in."""
    model = latency_model(load_board(board), EngineRuntime())
    assert model is not None
    for name in ("mcunet-in0", "mcunet-in1", "regnetx-200mf"):
        graph = build_graph(find_network(name))
        assert model.estimate(graph) == pytest.approx(model.milliseconds(graph), rel=0.15)


def test_faster_plans_are_told_as_faster() -> None:
    """The kernels that a goal may spend on are known."""
    graph = build_graph(find_network("mcunet-in0"))
    board = load_board("stm32f746")
    times = []
    for goal in (Goal.RAM, Goal.BALANCED, Goal.SPEED):
        model = latency_model(board, EngineRuntime(Aim(goal)))
        assert model is not None
        times.append(model.milliseconds(graph))
    assert times[0] > 1.2 * times[1] > times[2]


def test_a_board_without_one_of_its_own_is_told_by_the_clock() -> None:
    """Of the same core, at the nearest clock, and labelled so."""
    model = latency_model(load_board("nrf52840"), EngineRuntime())
    assert model is not None
    assert model.label == "modelled after stm32f412 by the clock, +-30 %"


def test_a_board_that_has_but_the_name_of_a_timed_one_is_told_so() -> None:
    """A file of one's own may be called so, with another core or at another clock."""
    f746 = load_board("stm32f746")
    core, slow = replace(f746, core="cortex-m4"), replace(f746, clock_hz=f746.clock_hz // 2)
    after = [
        model.label for model in (latency_model(each, EngineRuntime()) for each in (core, slow)) if model
    ]
    assert after == [
        "modelled after stm32l4r5 by the clock, +-30 %",
        "modelled after stm32f746 by the clock, +-30 %",
    ]


def test_a_kernel_that_nobody_timed_is_told_by_its_instructions() -> None:
    """So that a network with one rare operator has a time."""
    model = latency_model(load_board("stm32f746"), EngineRuntime())
    assert isinstance(model, CalibratedModel)
    costs = {kernel: cost for kernel, cost in model.calibration.costs.items() if kernel != "tn_depthwise"}
    lacking = replace(model, calibration=replace(model.calibration, costs=costs))
    graph = build_graph(find_network("mcunet-in0"))
    assert lacking.milliseconds(graph) == pytest.approx(model.milliseconds(graph), rel=0.3)


def test_only_our_engine_has_one() -> None:
    """Nothing is known of TFLite Micro's times."""
    assert latency_model(load_board("stm32f746"), TflmRuntime()) is None
