"""``tinynas plan``: how the engine runs a network row by row, and the SRAM that takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinynas.cli.console import (
    JsonOption,
    OptimizeOption,
    check_plot,
    make_table,
    output,
    print_facts,
    print_json,
    print_table,
    say,
)
from tinynas.cli.network import NETWORK_HELP, find_graph
from tinynas.cli.option_groups import with_option_groups
from tinynas.cli.sample_options import SampleOptions
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.rows import map_shape
from tinynas.units import format_size

if TYPE_CHECKING:
    from rich.console import Console

    from tinynas.engine.plan import Plan


@with_option_groups
def plan(
    network: Annotated[list[str], typer.Argument(metavar="NETWORK", help=NETWORK_HELP)],
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw memory over time to this file, x.png or x.svg.")
    ] = None,
    keep_float_io: Annotated[
        bool,
        typer.Option("--keep-float-io", help="Keep what turns float into int8 and back."),
    ] = False,
    optimize: OptimizeOption = Goal.RAM,
    as_json: JsonOption = False,
    *,
    given: SampleOptions,
) -> None:
    """Show how the engine runs a network: groups of operators, where their rows lie, and the arena."""
    from tinynas.cost.memory import buffers, plan_greedy
    from tinynas.engine.checker import check_plan
    from tinynas.engine.planner import plan_network
    from tinynas.graph.passes import simplify

    if plot is not None:
        check_plot(plot)
    _, graph = find_graph(" ".join(network), given.source())
    found = plan_network(simplify(graph, keep_float_io=keep_float_io), Aim(optimize))
    check_plan(found)
    if plot is not None:
        from tinynas.report.plan_plot import plot_plan

        plot_plan(found, plot)
    tflm = plan_greedy(buffers(graph)).peak
    if as_json:
        print_json({"network": found.graph.name, **found.to_dict(), "tflm_head_bytes": tflm})
        return
    _print(output(), found, tflm)
    if plot is not None:
        say(output(), f"drawn to {plot}")


def _print(console: Console, plan: Plan, tflm: int) -> None:
    table = make_table(("group", "operator"), ("output", "rows kept", "offset", "group takes"), ("kernel",))
    graph = plan.graph
    for number, ((first, end), size) in enumerate(zip(plan.groups, plan.group_bytes, strict=True)):
        for index in range(first, end):
            operator = graph.operators[index]
            shape, place = map_shape(graph.tensors[operator.outputs[0]]), plan.maps[operator.outputs[0]]
            table.add_row(
                str(number) if index == first else "",
                f"{index} {operator.kind.value.lower()}",
                f"{shape.rows}x{shape.columns}x{shape.channels}",
                "all" if place.slots == shape.rows else f"{place.slots} of {shape.rows}",
                f"{place.offset:,}",
                f"{size:,} B" if index == end - 1 else "",
                plan.kernels[index],
                style="bold" if size == max(plan.group_bytes) else None,
            )
    print_table(console, table)
    print_facts(
        console,
        [
            ("network", graph.name),
            ("optimized for", plan.goal.value),
            ("arena", f"{format_size(plan.arena)}, inputs and outputs included"),
            ("bound", f"{format_size(plan.bound)}: no layout of these groups takes less"),
            ("TFLM", f"{format_size(tflm)} for the same activations, {tflm / plan.arena:.1f} times as much"),
            ("schedule", f"{len(plan.steps):,} steps, proven by replaying them"),
        ],
    )
