"""``tinynas search``: from a board and a budget to a verified int8 network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import load_board
from tinynas.cli.console import (
    BoardOption,
    JsonOption,
    board_line,
    budget_line,
    output,
    print_json,
    remarks,
    runtime_line,
    say,
    say_times,
)
from tinynas.cli.effort_options import with_effort_options
from tinynas.cli.onto import OntoOptions
from tinynas.cli.option_groups import with_option_groups
from tinynas.cli.search_options import SearchOptions

if TYPE_CHECKING:
    from tinynas.pipeline.deploy_stage import Onto
    from tinynas.pipeline.request import SearchRequest


@with_effort_options
@with_option_groups
def search(
    *,
    context: typer.Context,
    board: BoardOption,
    asked: SearchOptions,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            help="Folder of the run; continues what is there. Default: runs/, named after the request.",
        ),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            help="Who proposes networks, as many with each: evolution, random, regularised (evolution in "
            "which the oldest die), nsga2 (a whole front), bayesian (TPE), grid (compound scaling), "
            "controller (learns by PPO).",
        ),
    ] = "evolution",
    deployed: OntoOptions,
    measure_every: Annotated[
        int,
        typer.Option(
            "--measure-every",
            min=0,
            help="Measure the best networks there after so many generations (of evolution's size, whatever "
            "the strategy; random and grid are measured at their end); correct times by it. 0: never.",
        ),
    ] = 0,
    as_json: JsonOption = False,
    **numbers: float | None,
) -> None:
    """Find the most accurate network within the budget, and make it an int8 .tflite that is proven to fit.

    Networks of the mobile family are parts of one trained supernet; those of the others are trained one by
    one, briefly, the better half ever further.

    Interrupted or killed, the same command goes on from where it was. With --port or --virtual the result is
    built, flashed and measured at the end, and shown beside what was predicted; with --measure-every networks
    are also measured in the middle, and the model of their times corrected.
    """
    from tinynas.search import default_run_path

    target, onto = load_board(board), deployed.onto()
    request = asked.request(
        target,
        numbers,
        strategy=strategy,
        measure_every=measure_every,
        measure_on=deployed.kind if measure_every else "",
    )
    asked.refuse_idle(context, [request.strategy], fine_tunes=True)
    path = run if run is not None else default_run_path(request.to_dict())
    console = remarks()
    say(console, board_line(target))
    rules = runtime_line(request.runtime, request.goal)
    budget = budget_line(request.budget, is_target=request.limits != request.budget)
    say(console, f"budget: {budget}, runtime {rules}, family {request.family}")
    say_times(console, request.times)
    say(console, f"run: {path} (effort {asked.effort}, seed {asked.seed}, {request.backend})")
    result = _run(request, path, onto)
    if as_json:
        print_json(result | {"run": str(path)})
    else:
        say(output())
        _print(result, path)
    if result.get("deployment", {}).get("wrong_samples"):
        raise typer.Exit(1)


def _run(request: SearchRequest, path: Path, onto: Onto | None) -> dict[str, Any]:
    from tinynas.cli.progress import watching
    from tinynas.pipeline.run import run_search

    with watching() as observer:
        return run_search(request, path, observer, onto)


def _print(result: dict[str, Any], path: Path) -> None:
    from tinynas.cli.findings import print_findings
    from tinynas.cli.result import print_result

    console = output()
    print_result(console, result, path)
    if "deployment" in result:
        say(console)
        print_findings(console, result["deployment"])
        say(console)
    say(console, f"`tinynas show {path}` shows the run again, with the other networks found")
    say(
        console, f"`tinynas pick {path} --all` exports those of its front; each takes as long as this one did"
    )
