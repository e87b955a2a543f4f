"""The network a run came to: what each block and each operator of it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tinynas.board import Board
from tinynas.cost import EngineRuntime, Runtime
from tinynas.cost.latency import latency_model
from tinynas.cost.layers import list_layers
from tinynas.graph import Graph
from tinynas.networks import Genotype, build_graph
from tinynas.networks.blocks import Block as Gene
from tinynas.networks.blocks import Conv, MBConv
from tinynas.report.run_page.sections import (
    Block,
    Latency,
    Layer,
    Layers,
    Maybe,
    Missing,
    Network,
    as_modelled,
)

#: operators behind the last block: mean and classifier
_HEAD = 2


def network_section(genotype: Genotype, standing: str, board: Board, runtime: Runtime) -> Network:
    """`genotype` as `runtime` runs it on `board`."""
    graph = build_graph(genotype)
    layers = tuple(_layers(genotype, graph, board, runtime))
    # the other runtimes do not run by rows, so there is no plan to draw
    plan = runtime.plan(graph) if isinstance(runtime, EngineRuntime) else None
    sram = runtime.sram(graph, board)
    return Network(
        standing=standing,
        genotype=str(genotype),
        runtime=runtime.name,
        macs=sum(layer.macs for layer in layers),
        weights=sum(layer.weights for layer in layers),
        sram_bytes=sram.total,
        peak_layer=sram.peak_operator,
        blocks=tuple(_blocks(genotype, layers)),
        layers=layers,
        plan=plan,
    )


def modelled_latency(genotype: Genotype, board: Board, runtime: Runtime) -> Latency | None:
    """What the model of the board says of one inference; None where there is no model."""
    model = latency_model(board, runtime)
    return (
        None
        if model is None
        else Latency(model.milliseconds(build_graph(genotype)), as_modelled(model.label))
    )


def modelled_layers(genotype: Genotype, board: Board, runtime: Runtime) -> Maybe[Layers]:
    """Cycles of every operator by the model of the board."""
    model = latency_model(board, runtime)
    if model is None:
        return Missing(f"No model tells the time of the {runtime.name} runtime on {board.id}.")
    graph = build_graph(genotype)
    return Layers(
        board=board.id,
        optimize=model.runtime.aim.goal.value,
        source=as_modelled(model.label),
        clock_hz=model.clock_hz,
        operators=tuple(operator.kind.value for operator in runtime.runs(graph).operators),
        cycles=tuple(round(ms * model.clock_hz / 1e3) for ms in model.layers(graph)),
    )


def _layers(genotype: Genotype, graph: Graph, board: Board, runtime: Runtime) -> Iterator[Layer]:
    simple = runtime.runs(graph)
    owners = _owners(genotype, graph)
    for layer, operator in zip(list_layers(graph, runtime, board), simple.operators, strict=True):
        yield Layer(
            index=layer.index,
            operator=layer.operator,
            block=owners.get(simple.tensors[operator.outputs[0]].name),
            output_shape=layer.output_shape[1:],
            window=layer.window,
            macs=layer.macs,
            weights=layer.weights,
            sram_bytes=layer.sram_bytes,
        )


def _owners(genotype: Genotype, graph: Graph) -> dict[str, int]:
    """The block that makes each named tensor: what simplifies a graph keeps the names of what it leaves."""
    owners: dict[str, int] = {}
    begin = 0
    for place in range(len(genotype.blocks)):
        upto = build_graph(replace(genotype, blocks=genotype.blocks[: place + 1]))
        end = len(upto.operators) - _HEAD
        for operator in graph.operators[begin:end]:
            owners[graph.tensors[operator.outputs[0]].name] = place
        begin = end
    return owners


def _blocks(genotype: Genotype, layers: tuple[Layer, ...]) -> Iterator[Block]:
    width = genotype.in_channels
    for place, gene in enumerate(genotype.blocks):
        own = [layer for layer in layers if layer.block == place]
        yield Block(
            text=str(gene),
            **_fields(gene),
            channels=gene.channels,
            output_shape=own[-1].output_shape if own else (),
            residual=gene.has_residual(width),
            operators=len(own),
            macs=sum(layer.macs for layer in own),
            weights=sum(layer.weights for layer in own),
            sram_bytes=max((layer.sram_bytes for layer in own), default=0),
        )
        width = gene.channels


def _fields(gene: Gene) -> dict[str, Any]:
    """What only some kinds of blocks have."""
    plain: dict[str, Any] = {"kernel": gene.kernel, "stride": gene.stride}
    absent = dict.fromkeys(("expand", "group_width", "squeeze"))
    match gene:
        case Conv():
            return plain | absent | {"form": "convolution"}
        case MBConv():
            form = "inverted bottleneck" if gene.expand > 1 else "depthwise separable"
            return plain | absent | {"form": form, "expand": gene.expand, "squeeze": gene.se or None}
        case _:
            return (
                plain
                | absent
                | {
                    "form": "X block",
                    "group_width": gene.group_width,
                    "squeeze": gene.se or None,
                }
            )
