"""The rows of `tinynas cost` add up to what the cost room says of the whole network."""

from __future__ import annotations

import pytest

from tinynas.board import load_board
from tinynas.cost.compute import macs, weights_and_biases
from tinynas.cost.layers import list_layers
from tinynas.cost.runtime import runtimes
from tinynas.networks import PRESETS, build_graph

NAMES = ["mcunet-in0", "mcunet-in2", "mcunet-in3", "mnasnet-a1", "mobilenetv2-0.35"]


@pytest.mark.parametrize("board", ["stm32f746", "rp2040"])
@pytest.mark.parametrize("runtime", runtimes(), ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", NAMES)
def test_rows_reach_the_totals(name: str, runtime, board: str) -> None:  # type: ignore[no-untyped-def]
    graph, target = build_graph(PRESETS[name]), load_board(board)
    layers = list_layers(graph, runtime, target)
    assert [layer.index for layer in layers] == list(range(len(graph.operators)))
    assert sum(layer.macs for layer in layers) == macs(graph)
    assert sum(layer.weights for layer in layers) == weights_and_biases(graph)
    sram = runtime.sram(graph, target)
    assert max(layer.sram_bytes for layer in layers) == sram.head
    (peak,) = [layer for layer in layers if layer.is_peak]
    assert peak.index == sram.peak_operator
    assert peak.sram_bytes == sram.head
