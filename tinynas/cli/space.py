"""``tinynas space``: stage 1 alone, the choice among design spaces, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import load_board
from tinynas.cli.console import (
    DATA_HELP,
    BoardOption,
    DataDirOption,
    FamilyOption,
    JsonOption,
    MinShareOption,
    SeedOption,
    board_line,
    budget_line,
    check_plot,
    make_table,
    output,
    percent,
    print_json,
    print_table,
    remarks,
    runtime_line,
    say,
    say_times,
)
from tinynas.cli.idle_options import refuse_idle
from tinynas.cli.option_groups import with_option_groups
from tinynas.cli.search_options import LimitOptions
from tinynas.errors import RequestError
from tinynas.units import format_count, format_seconds

if TYPE_CHECKING:
    from rich.console import Console

    from tinynas.spaces import SpaceReport, SpaceStats

#: spaces listed unless all are asked for
_TOP = 15


@with_option_groups
def space(
    context: typer.Context,
    board: BoardOption,
    limits: LimitOptions,
    family: FamilyOption = "mobile",
    data: Annotated[str | None, typer.Option("--data", help=f"{DATA_HELP} Default: digits.")] = None,
    data_dir: DataDirOption = None,
    native: Annotated[
        int | None,
        typer.Option(
            "--native", min=4, help="Side of your pictures in pixels, instead of --data (photographs: 224)."
        ),
    ] = None,
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, help="With --native: 3 colour, 1 grey.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", min=2, help="With --native: number of classes.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples", min=1, help="Networks drawn from each space. Default: 1000 mobile ones, else 100."
        ),
    ] = None,
    min_share: MinShareOption = 0.05,
    seed: SeedOption = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the distribution to this .png or .svg.")
    ] = None,
    all_spaces: Annotated[bool, typer.Option("--all", help=f"List all spaces, not the best {_TOP}.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the design space whose networks compute most within the budget (stage 1 of the search)."""
    from tinynas.cli.progress import counting
    from tinynas.cost.latency import latency_model
    from tinynas.spaces import find_family, optimise_space

    target, kind = load_board(board), find_family(family)
    budget, rules = limits.on(target)
    if plot is not None:
        check_plot(plot)
    if native is not None:
        refuse_idle(context, ["data_dir"], "--native describes pictures instead of --data")
    pictures = _pictures(data, data_dir, native, channels, classes, seed)
    console = remarks()
    say(console, board_line(target))
    counted = runtime_line(rules.name, limits.optimize)
    say(console, f"budget: {budget_line(budget)}, runtime {counted}, family {kind.name}")
    model = latency_model(target, rules) if budget.latency_ms is not None else None
    say_times(console, None if model is None else model.label)
    say(console, f"pictures: {pictures.described}")
    with counting("spaces") as on_progress:
        report = optimise_space(
            target,
            budget,
            rules,
            native=pictures.side,
            in_channels=pictures.channels,
            classes=pictures.classes,
            family=kind,
            samples=samples,
            seed=seed,
            min_share=min_share,
            on_progress=on_progress,
        )
    if plot is not None:
        from tinynas.report.space_plot import plot_distribution

        plot_distribution(report, plot)
    if as_json:
        print_json(_plain(report, plot) | {"optimize": limits.optimize.value})
    else:
        _print_report(output(), report, all_spaces, plot)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """What stage 1 needs to know of the data: `side` in pixels, channels, number of classes."""

    side: int
    channels: int
    classes: int
    described: str


def _pictures(
    data: str | None,
    data_dir: str | None,
    native: int | None,
    channels: int | None,
    classes: int | None,
    seed: int,
) -> _Pictures:
    shape = (native, channels, classes)
    if all(value is None for value in shape):
        from tinynas.data import describe, load_dataset

        loaded = load_dataset(data or "digits", Path(data_dir) if data_dir else None, seed=seed)
        return _Pictures(loaded.native_resolution, loaded.channels, len(loaded.classes), describe(loaded))
    if native is None or channels is None or classes is None or data is not None:
        raise RequestError(
            "pictures are described by --data alone, or by --native, --channels and --classes together: "
            "for photographs write --native 224 --channels 3 --classes 100"
        )
    return _Pictures(native, channels, classes, f"{native}x{native}x{channels}, {classes} classes")


def _plain(report: SpaceReport, plot: Path | None) -> dict[str, Any]:
    """The report without the curves, which would drown the rest."""
    plain = report.to_dict()
    spaces = [{key: row[key] for key in row if key != "macs_quantiles"} for row in plain["spaces"]]
    return plain | {"spaces": spaces, "plot": str(plot) if plot is not None else None}


def _print_report(console: Console, report: SpaceReport, all_spaces: bool, plot: Path | None) -> None:
    ranking = report.ranking
    barren = [stats for stats in report.spaces if stats.mean_macs is None]
    rows = [*ranking, *barren] if all_spaces else ranking[:_TOP]
    timed = report.budget.latency_ms is not None
    shares = ("in SRAM", "in flash", *(["in time"] if timed else []), "in all" if timed else "in both")
    table = make_table(("space",), (*shares, "mean MACs", "p80 MACs"), ("",))
    for stats in rows:
        chosen = stats.name == report.chosen_name
        table.add_row(
            stats.name,
            percent(stats.share_sram),
            percent(stats.share_flash),
            *([percent(stats.share_latency)] if timed else []),
            percent(stats.share),
            _macs(stats.mean_macs),
            _macs(stats.p80_macs),
            "<- chosen" if chosen else _remark(stats, report.min_share),
            style="bold green" if chosen else None,
        )
    print_table(console, table)
    shown = f"; the best {len(rows)} are shown, --all shows all" if len(rows) < len(ranking) else ""
    say(console, f"{len(ranking)} of {len(report.spaces)} spaces have networks that fit{shown}")
    if report.note:
        say(console, f"note: {report.note}", style="yellow")
    say(
        console,
        f"{report.networks:,} networks in {format_seconds(report.seconds)}: "
        f"{report.networks_per_second:,.0f} a second",
    )
    if plot is not None:
        say(console, f"plot: {plot}")


def _remark(stats: SpaceStats, min_share: float) -> str:
    return f"below {percent(min_share)}" if stats.share < min_share else ""


def _macs(count: float | None) -> str:
    return "-" if count is None else format_count(count)
