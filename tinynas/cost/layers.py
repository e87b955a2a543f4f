"""A Graph layer by layer: what each operator of a Graph computes, carries and keeps in SRAM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tinynas.board import Board
from tinynas.cost.compute import operator_macs, operator_weights
from tinynas.cost.estimates import Runtime
from tinynas.cost.latency import LatencyModel
from tinynas.graph import Graph, Operator


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator. `sram_bytes` is what activations and scratch reach up to while it runs.

    `latency_ms` is None where times are not known; `weights` are weights and biases; `window` is ``5x5/2``
    (kernel and stride), empty where nothing slides.
    """

    index: int
    operator: str
    output_shape: tuple[int, ...]
    window: str
    macs: int
    weights: int
    sram_bytes: int
    is_peak: bool
    latency_ms: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return asdict(self) | {"output_shape": list(self.output_shape)}


def list_layers(
    graph: Graph, runtime: Runtime, board: Board, clock: LatencyModel | None = None
) -> list[Layer]:
    """Every operator that `runtime` runs in order of execution, the one at the peak of its SRAM marked.

    `clock`, made for that board and runtime, tells their times.
    """
    peak = runtime.sram(graph, board).peak_operator
    reach = runtime.reach(graph, board)
    times = clock.layers(graph) if clock is not None else None
    graph = runtime.runs(graph)
    return [
        Layer(
            index=index,
            operator=operator.kind.value,
            output_shape=graph.tensors[operator.outputs[0]].shape,
            window=_window(operator),
            macs=operator_macs(graph, operator),
            weights=operator_weights(graph, operator),
            sram_bytes=reach[index],
            is_peak=index == peak,
            latency_ms=times[index] if times is not None else None,
        )
        for index, operator in enumerate(graph.operators)
    ]


def _window(operator: Operator) -> str:
    if operator.window is None:
        return ""
    (rows, columns), strides = operator.window.kernel, operator.window.stride
    stride = f"{strides[0]}" if strides[0] == strides[1] else f"{strides[0]}x{strides[1]}"
    return f"{rows}x{columns}/{stride}"
