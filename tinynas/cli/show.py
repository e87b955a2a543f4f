"""``tinynas show``: a run folder in words, finished or not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.cli.console import (
    JsonOption,
    make_table,
    output,
    percent,
    print_facts,
    print_json,
    print_table,
    say,
    time_line,
)
from tinynas.units import format_count, format_milliseconds, format_seconds, format_size

if TYPE_CHECKING:
    from rich.console import Console

    from tinynas.search import Candidate, RunSummary
    from tinynas.spaces import SpaceReport

#: networks of the front listed at most
_FRONT = 12


def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, such as one in runs/.")],
    as_json: JsonOption = False,
) -> None:
    """Show a run, finished or not: what was asked, how far it is, the networks found, the result."""
    from tinynas.search import read_run
    from tinynas.spaces import SpaceReport

    summary = read_run(run)
    report = SpaceReport.from_dict(summary.space) if summary.space is not None else None
    if as_json:
        print_json(_plain(summary, report))
    else:
        _print(output(), summary, report)


def _plain(summary: RunSummary, report: SpaceReport | None) -> dict[str, Any]:
    from tinynas.pipeline.request import accuracy_key
    from tinynas.search import Correction

    stats = report.chosen_stats if report is not None else None
    key = accuracy_key(summary.family)
    return {
        "run": str(summary.path),
        "state": summary.state,
        "family": summary.family,
        "request": summary.request,
        "space": {
            "name": stats.name, "share": stats.share, "mean_macs": stats.mean_macs, "p80_macs": stats.p80_macs
        } if stats is not None else None,
        "candidates": len(summary.candidates),
        "best": plain_candidate(summary.best, key) if summary.best is not None else None,
        "measurements": [asdict(timing) for timing in summary.timings],
        "latency_factor": Correction.of(summary.timings).factor,
        "front": [plain_candidate(candidate, key) for candidate in summary.front],
        "result": summary.result,
        "deployments": summary.deployments,
        "seconds": summary.times,
    }  # fmt: skip


def plain_candidate(candidate: Candidate[Any], accuracy_key: str) -> dict[str, Any]:
    """A scored network for ``--json``."""
    return {
        "genotype": candidate.genotype,
        accuracy_key: candidate.accuracy,
        **asdict(candidate.footprint),
        "generation": candidate.generation,
        "origin": candidate.origin.value,
        "trained_steps": candidate.trained_steps,
    }


def _print(console: Console, summary: RunSummary, report: SpaceReport | None) -> None:
    from tinynas.search.run_folder import DEPLOYMENTS, RESULT, reading

    state = summary.state
    goes_on = "" if summary.is_done else " (unfinished: the same search command goes on)"
    facts = [
        ("run", str(summary.path)),
        ("state", state + goes_on),
        *_asked({"family": summary.family} | summary.request),
    ]
    if report is not None:
        stats = report.chosen_stats
        mean = format_count(stats.mean_macs or 0)
        facts.append(("space", f"{stats.name}, {percent(stats.share)} of its networks fit, mean {mean} MACs"))
    print_facts(console, facts)
    if summary.candidates:
        _print_candidates(console, summary)
    if summary.result is not None:
        from tinynas.cli.result import print_result

        say(console)
        with reading(RESULT):
            print_result(console, summary.result, summary.path)
    elif summary.times:
        parts = ", ".join(f"{stage} {format_seconds(seconds)}" for stage, seconds in summary.times.items())
        print_facts(console, [("time so far", f"{format_seconds(sum(summary.times.values()))} ({parts})")])
    for name, found in summary.deployments.items():
        from tinynas.cli.findings import print_findings

        say(console)
        with reading(f"{DEPLOYMENTS}/{name}.json"):
            print_findings(console, found)


def _asked(request: dict[str, Any]) -> list[tuple[str, str]]:
    """The request in a few lines; `--json` has all of it."""
    words = ("board", "family", "data", "effort", "runtime", "optimize", "strategy", "objective", "seed")
    facts = [(word, str(request[word])) for word in words if word in request]
    memories = [
        f"{format_size(request[key])} of {name}"
        for key, name in (("sram_bytes", "SRAM"), ("flash_bytes", "flash"))
        if isinstance(request.get(key), int)
    ]
    if "latency_ms" in request:
        memories.append(time_line(request["latency_ms"], is_target="objective" in request))
    return [*facts, ("budget", ", ".join(memories))] if memories else facts


def _print_candidates(console: Console, summary: RunSummary) -> None:
    from tinynas.spaces import find_family

    front = summary.front
    timed = all(candidate.footprint.latency_ms is not None for candidate in front)
    say(console)
    shown = f"the best {_FRONT} of " if len(front) > _FRONT else ""
    say(
        console,
        f"{len(summary.candidates):,} networks scored; {shown}{len(front)} that no other beats in accuracy, "
        f"{'time' if timed else 'MACs'}, SRAM and flash together (accuracy by "
        f"{find_family(summary.family).scoring}, held-out pictures):",
    )
    latency = ["latency"] if timed else []
    table = make_table((), ("accuracy", *latency, "SRAM", "MACs", "params", "flash"), ("found",))
    for candidate in front[:_FRONT]:
        cost = candidate.footprint
        table.add_row(
            percent(candidate.accuracy, 2),
            *([format_milliseconds(cost.latency_ms)] if timed and cost.latency_ms is not None else []),
            f"{cost.sram_bytes:,} B",
            f"{cost.macs:,}",
            f"{cost.params:,}",
            f"{cost.flash_bytes:,} B",
            _found(candidate),
        )
    print_table(console, table)
    if summary.timings:
        say(console, _measured(summary))


def _measured(summary: RunSummary) -> str:
    """How good predictions were, and what was made of it."""
    from tinynas.search import Correction

    errors = sorted(abs(timing.error) for timing in summary.timings)
    return (
        f"{len(errors)} networks measured in the middle of the search: predictions were off by "
        f"{percent(median(errors))} in the median, by {percent(errors[-1])} at worst; times of the model are "
        f"multiplied by {Correction.of(summary.timings).factor:.4g}"
    )


def _found(candidate: Candidate[Any]) -> str:
    """``generation 2, mutation, 54 steps``; steps where it was trained on its own."""
    trained = f", {candidate.trained_steps:,} steps" if candidate.trained_steps else ""
    return f"generation {candidate.generation}, {candidate.origin.value}{trained}"
