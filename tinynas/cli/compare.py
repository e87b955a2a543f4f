"""``tinynas compare``: strategies at equal numbers of evaluations on one space, with several seeds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import load_board
from tinynas.cli.console import (
    JsonOption,
    board_line,
    budget_line,
    check_plot,
    output,
    print_json,
    remarks,
    runtime_line,
    say,
    say_times,
)
from tinynas.cli.effort_options import with_effort_options
from tinynas.cli.idle_options import all_but, refuse_idle
from tinynas.cli.option_groups import with_option_groups
from tinynas.cli.search_options import SearchOptions, StartBoardOption
from tinynas.cli.standings import evaluations_of, print_comparison
from tinynas.errors import RequestError
from tinynas.pipeline.effort import FINE_TUNING
from tinynas.units import format_milliseconds

if TYPE_CHECKING:
    from tinynas.pipeline.comparison import Comparison, ComparisonRequest
    from tinynas.search.curves import Curve, Standing


@partial(with_effort_options, idle=FINE_TUNING)
@with_option_groups
def compare(
    *,
    context: typer.Context,
    board: StartBoardOption = None,
    asked: SearchOptions,
    strategies: Annotated[
        str | None,
        typer.Option(
            "--strategies",
            help="Those to compare, with commas between. Default: evolution, random, regularised, bayesian, "
            "grid, controller; nsga2 looks for a front, not for one network.",
        ),
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(
            "--evaluations", "-n", help="Networks that each search scores. Default: evolution's by --effort."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Searches of each strategy, from seed 0.")] = 5,
    level: Annotated[
        float | None,
        typer.Option(
            "--level",
            min=0.0,
            help="Accuracy, or reward with --objective, up to which evaluations are counted. Default: random "
            "search's mean at the end.",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of the comparison; alone: show it. Default: runs/, by request."),
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw a figure to this .png or .svg.")] = None,
    as_json: JsonOption = False,
    **numbers: float | None,
) -> None:
    """Compare search strategies: equal numbers of evaluations on one space, several seeds, best so far.

    One supernet is trained for all, and a network that one search scored is never scored again for another.
    --seed is that of pictures and training. The same command goes on where it was interrupted, and with more
    strategies, seeds or evaluations adds those. Networks whose modelled time is above --latency are not
    scored; with --objective it is a target, and rewards are compared.
    """
    if plot is not None:
        check_plot(plot)
    if board is None:
        from tinynas.pipeline.comparison import read_comparison

        if run is None:
            raise RequestError("name a comparison to look at with --run, or start one with --board")
        shown = all_but(context, "run", "level", "plot", "as_json")
        refuse_idle(context, shown, "a comparison that is there is only shown", "add --board")
        found = read_comparison(run)
        curves = list(found.curves)
    else:
        from tinynas.pipeline.comparison import ComparisonRequest
        from tinynas.pipeline.strategies import TO_COMPARE

        search = asked.request(load_board(board), numbers)
        names = tuple(word.strip().lower() for word in (strategies or ",".join(TO_COMPARE)).split(","))
        count = evaluations if evaluations is not None else search.effort.evaluations
        request = ComparisonRequest(search, names, count, seeds)
        asked.refuse_idle(context, names, fine_tunes=False)
        if evaluations is not None:
            refuse_idle(context, ["iterations"], "--evaluations says how many networks are scored")
        found = _run(request, run)
        curves = found.of(request.searches)
    _show(found, curves, level, plot, as_json)


def _run(request: ComparisonRequest, path: Path | None) -> Comparison:
    from tinynas.cli.progress import watching
    from tinynas.pipeline.comparison import run_comparison
    from tinynas.search import default_run_path

    search = request.search
    folder = path if path is not None else default_run_path(request.to_dict())
    console = remarks()
    say(console, board_line(search.board))
    rules = runtime_line(search.runtime, search.goal)
    budget = budget_line(search.budget, is_target=search.limits != search.budget)
    say(console, f"budget: {budget}, runtime {rules}, family {search.family}")
    say_times(console, search.times)
    say(
        console,
        f"comparison: {folder} ({', '.join(request.strategies)}: {request.evaluations} evaluations with each "
        f"of {request.seeds} seeds)",
    )
    with watching() as observer:
        return run_comparison(request, folder, observer)


def _show(
    found: Comparison, curves: list[Curve], level: float | None, plot: Path | None, as_json: bool
) -> None:
    shown = found.standings(level, curves)
    if plot is not None:
        from tinynas.report.compare_plot import plot_comparison

        plot_comparison(shown, plot, _title(found), found.objective_name)
    if as_json:
        print_json(_plain(found, shown, plot))
    else:
        print_comparison(output(), found, shown, plot)


def _title(found: Comparison) -> str:
    request = found.request
    limits = f"{request['sram_bytes'] / 1024:g} KiB of SRAM"
    if found.target_ms is not None:
        limits += f", {format_milliseconds(found.target_ms)}"
    return f"{Path(request['data']).stem}, {request['board']}, {limits}, space {found.space}"


def _plain(found: Comparison, shown: list[Standing], plot: Path | None) -> dict[str, Any]:
    return {
        "comparison": str(found.path),
        "request": dict(found.request),
        "objective": found.objective_name,
        "space": found.space,
        "evaluations": evaluations_of(shown),
        "networks_scored": found.networks,
        "strategies": [standing.to_dict() | _feasible(found, standing) for standing in shown],
        "plot": str(plot) if plot is not None else None,
    }


def _feasible(found: Comparison, standing: Standing) -> dict[str, Any]:
    """How many of the best networks are in time, where a time was asked for and theirs are known."""
    if found.target_ms is None or not standing.latencies_ms:
        return {}
    return {"best_within_latency": standing.in_time(found.target_ms)}
