"""Models of latency: what they answer, and how their words say how far to trust them."""

from __future__ import annotations

import pytest

from tinynas.board import load_board
from tinynas.cost import EngineRuntime, TflmRuntime
from tinynas.cost.latency import latency_model
from tinynas.networks import build_graph, find_network


def test_layers_add_up_and_are_those_the_runtime_runs() -> None:
    """One time an operator of what runs."""
    board, runtime = load_board("stm32f746"), EngineRuntime()
    model = latency_model(board, runtime)
    assert model is not None
    graph = build_graph(find_network("mcunet-in0"))
    layers = model.layers(graph)
    assert len(layers) == len(runtime.runs(graph).operators)
    assert min(layers) > 0
    assert sum(layers) == pytest.approx(model.milliseconds(graph))


def test_only_our_engine_has_one() -> None:
    """Nothing is known of TFLite Micro's times."""
    assert latency_model(load_board("stm32f746"), TflmRuntime()) is None
