"""``tinynas profile``: calibrate the latency model on a board, real or virtual."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import load_board
from tinynas.cli.console import BoardOption, JsonOption, output, print_facts, print_json, say
from tinynas.cli.device import PortOption, VirtualOption
from tinynas.engine.goals import Goal

if TYPE_CHECKING:
    from tinynas.cost.calibration import Calibration


def profile(
    board: BoardOption,
    port: PortOption = None,
    virtual: VirtualOption = False,
    optimize: Annotated[
        Goal | None,
        typer.Option("--optimize", help="Only the kernels of plans for this goal; by default those of all."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws other networks to run.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run networks of many shapes on a board, and fit how long each kernel takes, for `cost` and `search`.

    Takes a few minutes. What was interrupted goes on where it was when the same command is run again.
    """
    from tinynas.cli.progress import watching
    from tinynas.cost.kept import heard, kept
    from tinynas.pipeline.bench import FirmwareBench
    from tinynas.pipeline.profile import profile as run
    from tinynas.pipeline.target import find_target
    from tinynas.search.disk import written_whole

    target, way = load_board(board), FirmwareBench(find_target(port, virtual))
    goals = tuple(Goal) if optimize is None else (optimize,)
    place = kept(target.id, measured=not virtual)
    begun = place.with_suffix("")
    with watching() as watch:
        made = run(target, way, goals, seed, begun, watch)
    with written_whole(place) as partial:
        partial.write_text(made.to_text(), encoding="utf-8")
    heard(target.id, not virtual, made.compiler)
    shutil.rmtree(begun, ignore_errors=True)
    print_json(_plain(made, place)) if as_json else _print(made, place)


def _plain(made: Calibration, place: Path) -> dict[str, Any]:
    """For ``--json``; errors are shares."""
    return {
        "board": made.board,
        "times": made.times,
        "clock_hz": made.clock_hz,
        "compiler": made.compiler,
        "optimize": list(made.goals),
        "networks": made.networks,
        "operators": made.operators,
        "kernels": sorted(made.costs),
        "network_error_median": made.errors.median,
        "network_error_worst": made.errors.worst,
        "operator_error_median": made.errors.operator_median,
        "calibration": str(place),
    }


def _print(made: Calibration, place: Path) -> None:
    errors = made.errors
    console = output()
    print_facts(
        console,
        [
            ("board", f"{made.board}, {made.clock_hz / 1e6:g} MHz, {made.compiler}"),
            ("times", made.times),
            ("run", f"{made.networks} networks of {made.operators:,} operators, {len(made.costs)} kernels"),
            (
                "networks left out of the fit",
                f"{100 * errors.median:.1f} % off in the median, {100 * errors.worst:.1f} % at worst",
            ),
            ("single operators", f"{100 * errors.operator_median:.1f} % off in the median"),
        ],
    )
    say(console, f"kept in {place}", style="green")
