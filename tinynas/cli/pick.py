"""``tinynas pick``: another point of a finished search's front, without searching again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import Budget, load_board, make_budget
from tinynas.cli.backend import choose_backend
from tinynas.cli.console import (
    DataDirOption,
    FpsOption,
    JsonOption,
    budget_line,
    make_table,
    output,
    percent,
    print_json,
    print_table,
    remarks,
    say,
)
from tinynas.cli.idle_options import refuse_idle
from tinynas.cli.onto import OntoOptions
from tinynas.cli.option_groups import with_option_groups
from tinynas.units import format_milliseconds, format_size

if TYPE_CHECKING:
    from tinynas.pipeline.deploy_stage import Onto
    from tinynas.pipeline.pick import Pick


@with_option_groups
def pick(
    *,
    context: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished search.")],
    latency: Annotated[
        str | None,
        typer.Option("--latency", help="Time an inference may take: 50ms. Default: the run's own."),
    ] = None,
    fps: FpsOption = None,
    sram: Annotated[
        str | None, typer.Option("--sram", help="SRAM the network may take: 64k. Default: the run's own.")
    ] = None,
    flash: Annotated[
        str | None, typer.Option("--flash", help="Flash it may take: 512k. Default: the run's own.")
    ] = None,
    data_dir: DataDirOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Export every network within the limits, not only the best.")
    ] = False,
    deployed: OntoOptions,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show what there is to choose from; train and export nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the most accurate network of a run's front within other limits, fine-tune and export it.

    Nothing is searched again: every network scored is in the run. The one picked goes to RUN/picks/, with the
    checks that the run's own result had to pass; picked once, it is only shown. --all does so with each
    network within the limits; each takes as long as the run's winner did. With --port or --virtual it is
    built, flashed and measured, too.

    Networks that were trained one by one have the accuracy of where their trainings ended (shown); the one
    picked is trained to the end, as the run's winner was.
    """
    from tinynas.pipeline.pick import choose
    from tinynas.search import read_run

    if only_list:
        exporting = ("data_dir", "every", "port", "virtual", "deploy_samples")
        refuse_idle(context, exporting, "--list exports nothing")
    onto = deployed.onto()
    found = choose(run, _budget(read_run(run).request, sram, flash, latency, fps))
    console = remarks()
    say(console, f"within {budget_line(found.budget)}")
    if not as_json:
        _print_front(found, every, only_list)
    results = [] if only_list else _export(found, every, data_dir, onto)
    if as_json:
        picked = {"exported": results} if every else {"picked": results[0] if results else None}
        print_json(_plain(found) | picked)
    elif every and results:
        _print_exported(results)
    else:
        _print_picked(results)
    if any(result.get("deployment", {}).get("wrong_samples") for result in results):
        raise typer.Exit(1)


def _budget(
    request: dict[str, Any], sram: str | None, flash: str | None, latency: str | None, fps: str | None
) -> Budget:
    """What is asked for; what is not, the run's own. A time that was a target of the run is no limit."""
    from tinynas.search.run_folder import REQUEST, reading

    with reading(REQUEST):
        board, sizes = str(request["board"]), (int(request["sram_bytes"]), int(request["flash_bytes"]))
    asked = make_budget(load_board(board), sram, flash, latency, fps)
    own = request.get("latency_ms") if "objective" not in request else None
    return Budget(
        asked.sram_bytes if sram is not None else sizes[0],
        asked.flash_bytes if flash is not None else sizes[1],
        own if asked.latency_ms is None else asked.latency_ms,
    )


def _export(found: Pick, every: bool, data_dir: str | None, onto: Onto | None) -> list[dict[str, Any]]:
    from tinynas.cli.progress import watching

    choose_backend(str(found.run.request["backend"]))
    from tinynas.pipeline.pick import export_front, export_pick

    place = Path(data_dir) if data_dir is not None else None
    with watching() as watch:
        return export_front(found, watch, place, onto) if every else [export_pick(found, watch, place, onto)]


def _plain(found: Pick) -> dict[str, Any]:
    from tinynas.cli.show import plain_candidate
    from tinynas.pipeline.request import accuracy_key

    key, within = accuracy_key(found.run.family), {member.genotype for member in found.members}
    return {
        "run": str(found.run.path),
        "sram_budget_bytes": found.budget.sram_bytes,
        "flash_budget_bytes": found.budget.flash_bytes,
        "latency_budget_ms": found.budget.latency_ms,
        "front": [plain_candidate(c, key) | {"within": c.genotype in within} for c in found.front],
    }


def _print_front(found: Pick, every: bool, only_list: bool) -> None:
    within = {member.genotype for member in found.members}
    timed = all(candidate.footprint.latency_ms is not None for candidate in found.front)
    # of networks that were trained on their own, some further than others
    alone = any(candidate.trained_steps for candidate in found.front)
    known = ("accuracy", *(["after"] if alone else []), *(["latency"] if timed else []))
    table = make_table((), (*known, "SRAM", "flash", "MACs"), ("",))
    for candidate in found.front:
        cost, fits = candidate.footprint, candidate.genotype in within
        table.add_row(
            percent(candidate.accuracy, 2),
            *([f"{candidate.trained_steps:,} steps"] if alone else []),
            *([format_milliseconds(cost.latency_ms)] if timed and cost.latency_ms is not None else []),
            format_size(cost.sram_bytes),
            format_size(cost.flash_bytes),
            f"{cost.macs:,}",
            "within" if fits else "",
            style="bold" if candidate is found.members[0] else None if fits else "dim",
        )
    console = output()
    print_table(console, table)
    taken = "all of them are taken" if every else "the best of them is taken"
    say(
        console,
        f"{len(within)} of {len(found.front)} networks on the front are within"
        f"{'' if only_list else f'; {taken}'}",
    )


def _print_picked(results: list[dict[str, Any]]) -> None:
    """The one, as `search` shows its own."""
    from tinynas.cli.findings import print_findings
    from tinynas.cli.result import print_result

    for result in results:
        say(output())
        print_result(output(), result, Path(result["folder"]))
        if "deployment" in result:
            say(output())
            print_findings(output(), result["deployment"])


def _print_exported(results: list[dict[str, Any]]) -> None:
    """A line for each, with its file; times are the board's where one was asked."""
    timed = all(result.get("latency_ms") is not None for result in results)
    # a board that does not know its clock tells no time
    measured = all(result.get("deployment", {}).get("latency_ms") for result in results)
    columns = ("int8", *(["latency"] if timed else []), *(["on the board"] if measured else []))
    table = make_table((), (*columns, "SRAM", "flash"), ("file",))
    for result in results:
        table.add_row(
            percent(result["accuracy_int8"], 2),
            *([format_milliseconds(result["latency_ms"])] if timed else []),
            *([format_milliseconds(result["deployment"]["latency_ms"])] if measured else []),
            format_size(result["sram_bytes"]),
            format_size(result["flash_bytes"]),
            str(Path(result["folder"]) / result["model"]),
        )
    say(output())
    print_table(output(), table)
