"""``tinynas cost``: what a network takes on a board, layer by layer, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import Board, Budget, load_board
from tinynas.cli.console import (
    BoardOption,
    JsonOption,
    board_line,
    make_table,
    output,
    part_of,
    print_facts,
    print_json,
    print_table,
    runtime_line,
    say,
)
from tinynas.cli.network import NETWORK_HELP, find_graph
from tinynas.cli.option_groups import with_option_groups
from tinynas.cli.sample_options import SampleOptions
from tinynas.cli.search_options import LimitOptions
from tinynas.engine.goals import Goal
from tinynas.units import format_milliseconds, format_size

if TYPE_CHECKING:
    from rich.console import Console

    from tinynas.cost.latency import LatencyModel
    from tinynas.cost.layers import Layer
    from tinynas.cost.runtime import FlashEstimate, SramEstimate
    from tinynas.graph import Graph
    from tinynas.networks import Genotype
    from tinynas.search import Need


@with_option_groups
def cost(
    network: Annotated[
        list[str],
        typer.Argument(metavar="NETWORK", help=NETWORK_HELP),
    ],
    board: BoardOption,
    limits: LimitOptions,
    classes: Annotated[
        int | None, typer.Option("--classes", min=1, help="Classes, instead of the network's own.")
    ] = None,
    as_json: JsonOption = False,
    *,
    given: SampleOptions,
) -> None:
    """Show what a network costs on a board, layer by layer, and where its memory peaks."""
    from tinynas.cost.latency import latency_model
    from tinynas.cost.layers import list_layers
    from tinynas.cost.times import unknown_times

    target = load_board(board)
    budget, rules = limits.on(target)
    clock = latency_model(target, rules)
    if budget.latency_ms is not None and clock is None:
        raise unknown_times(target, rules)
    name = " ".join(network)
    genotype, graph = find_graph(name, given.source(), classes)
    bill = _Bill(
        name=name,
        board=target,
        budget=budget,
        runtime=rules.name,
        goal=limits.optimize,
        genotype=genotype,
        graph=graph,
        layers=list_layers(graph, rules, target, clock),
        sram=rules.sram(graph, target),
        flash=rules.flash(graph, target),
        clock=clock,
    )
    print_json(bill.to_dict()) if as_json else _print_bill(output(), bill)


@dataclass(frozen=True, slots=True)
class _Bill:
    """Everything the command prints."""

    name: str
    board: Board
    budget: Budget
    runtime: str
    goal: Goal
    genotype: Genotype | None
    graph: Graph
    layers: list[Layer]
    sram: SramEstimate
    flash: FlashEstimate
    clock: LatencyModel | None

    @property
    def need(self) -> Need:
        """What the network takes."""
        from tinynas.search import Need

        time = self.clock.milliseconds(self.graph) if self.clock is not None else None
        return Need(self.sram.total, self.flash.total, time)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def weights(self) -> int:
        """Weights and biases of the int8 model."""
        return sum(layer.weights for layer in self.layers)

    @property
    def params(self) -> int | None:
        """Parameters as papers count them; None for a file, in which batch normalisation is folded away."""
        from tinynas.networks import trainable_params

        return trainable_params(self.genotype) if self.genotype is not None else None

    @property
    def fits(self) -> bool:
        """Whether both memories and the time suffice."""
        return self.need.strain(self.budget) <= 1

    def sram_pieces(self) -> list[tuple[str, int]]:
        """What SRAM holds."""
        pieces = [
            ("activations", self.sram.activations),
            ("scratch", self.sram.scratch),
            ("planning at start", max(0, self.sram.planning - self.sram.head)),
            ("interpreter", self.sram.tail),
        ]
        return [piece for piece in pieces if piece[1]]

    def flash_pieces(self) -> list[tuple[str, int]]:
        """What flash holds."""
        flash = self.flash
        pieces = [
            ("weights", flash.weights),
            ("biases", flash.biases),
            ("quantisation", flash.tables),
            ("graph", flash.graph),
            ("runtime code", flash.code),
        ]
        return [piece for piece in pieces if piece[1]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "network": self.name,
            "genotype": str(self.genotype) if self.genotype is not None else None,
            "board": self.board.id,
            "runtime": self.runtime,
            "optimize": self.goal.value,
            "macs": self.macs,
            "params": self.params,
            "weights_and_biases": self.weights,
            "sram_bytes": self.sram.total,
            "sram_budget_bytes": self.budget.sram_bytes,
            "sram_pieces_bytes": _keys(self.sram_pieces()),
            "flash_bytes": self.flash.total,
            "flash_budget_bytes": self.budget.flash_bytes,
            "flash_pieces_bytes": _keys(self.flash_pieces()),
            "latency_ms": self.need.latency_ms,
            "latency_budget_ms": self.budget.latency_ms,
            "latency_label": self.clock.label if self.clock is not None else None,
            "fits": self.fits,
            "peak_operator": self.sram.peak_operator,
            "operators": [layer.to_dict() for layer in self.layers],
        }


def _print_bill(console: Console, bill: _Bill) -> None:
    timed = ("time",) if bill.clock is not None else ()
    figures = ("output", "kernel/stride", "MACs", "weights", *timed, "SRAM in use")
    table = make_table(("#", "operator"), figures, ("",))
    for layer in bill.layers:
        table.add_row(
            str(layer.index),
            layer.operator,
            "x".join(map(str, layer.output_shape[1:])),
            layer.window,
            _number(layer.macs),
            _number(layer.weights),
            *([] if layer.latency_ms is None else [format_milliseconds(layer.latency_ms)]),
            f"{layer.sram_bytes:,} B",
            "<- peak" if layer.is_peak else "",
            style="bold" if layer.is_peak else None,
        )
    print_table(console, table)
    params = [("parameters as published", f"{bill.params:,}")] if bill.params is not None else []
    print_facts(
        console,
        [
            ("network", bill.name),
            ("board", board_line(bill.board)),
            ("runtime", runtime_line(bill.runtime, bill.goal)),
            ("MACs", f"{bill.macs:,}"),
            *params,
            ("weights and biases", f"{bill.weights:,}"),
            ("SRAM", part_of(bill.sram.total, bill.budget.sram_bytes)),
            *((f"  {name}", format_size(size)) for name, size in bill.sram_pieces()),
            ("flash", part_of(bill.flash.total, bill.budget.flash_bytes)),
            *((f"  {name}", format_size(size)) for name, size in bill.flash_pieces()),
            *_time(bill),
        ],
    )
    say(console, _verdict(bill), style="green" if bill.fits else "red")


def _verdict(bill: _Bill) -> str:
    if bill.fits:
        return "it fits"
    excess = [
        f"{format_size(used - allowed)} too much {memory}"
        for memory, used, allowed in (
            ("SRAM", bill.sram.total, bill.budget.sram_bytes),
            ("flash", bill.flash.total, bill.budget.flash_bytes),
        )
        if used > allowed
    ]
    time, allowed_ms = bill.need.latency_ms, bill.budget.latency_ms
    if time is not None and allowed_ms is not None and time > allowed_ms:
        excess.append(f"{format_milliseconds(time - allowed_ms)} too slow")
    return f"it does not fit: {' and '.join(excess)}"


def _time(bill: _Bill) -> list[tuple[str, str]]:
    """``25.3 ms (modelled, +-10 %), 84 % of 30 ms``; nothing where times are not known."""
    time, allowed = bill.need.latency_ms, bill.budget.latency_ms
    if time is None or bill.clock is None:
        return []
    share = f", {100 * time / allowed:.0f} % of {format_milliseconds(allowed)}" if allowed is not None else ""
    return [("latency", f"{format_milliseconds(time)} ({bill.clock.label}){share}")]


def _keys(pieces: list[tuple[str, int]]) -> dict[str, int]:
    return {name.replace(" ", "_"): size for name, size in pieces}


def _number(count: int) -> str:
    return f"{count:,}" if count else ""
