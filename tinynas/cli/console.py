"""Words that commands share: consoles, tables, sizes, JSON.

Results go to standard output, progress and remarks to standard error. What is not a terminal gets
plain lines of any length.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tinynas.board import Board, Budget
from tinynas.engine.goals import Goal
from tinynas.errors import RequestError
from tinynas.units import format_milliseconds, format_size

#: columns of a table written to a file or a pipe, unless COLUMNS says otherwise
_WIDE = 200
#: columns that every table has room in
_AMPLE = 10_000

BoardOption = Annotated[
    str,
    typer.Option("--board", "-b", help="A board's id (`tinynas boards`), or your own board file, x.json."),
]
SramOption = Annotated[
    str | None,
    typer.Option("--sram", help="SRAM the network may take: 320k (KiB), 0.5m, bytes. Default: all."),
]
FlashOption = Annotated[
    str | None,
    typer.Option("--flash", help="Flash network and runtime may take: 1m (MiB), 512k. Default: all."),
]
LatencyOption = Annotated[
    str | None,
    typer.Option("--latency", help="Time an inference may take: 100ms, 0.1s, 800us. Default: any."),
]
FpsOption = Annotated[
    str | None, typer.Option("--fps", help="The same as inferences a second: 10 is --latency 100ms.")
]
#: tinynas's own
DEFAULT_RUNTIME = "engine"
RuntimeOption = Annotated[
    str,
    typer.Option(
        "--runtime",
        help="Whose memory is counted: engine (tinynas's own), tflm (TensorFlow Lite Micro), or live (the "
        "least of any that runs layer by layer).",
    ),
]
_GOALS = "ram: the smallest arena; balanced: fast in at most 40 % and 1 kB more; speed: the fastest"
OptimizeOption = Annotated[
    Goal, typer.Option("--optimize", help=f"What the engine's plans are for. {_GOALS}, within the limits.")
]
#: of a model that may be a run's
ModelOptimizeOption = Annotated[
    Goal | None,
    typer.Option("--optimize", help=f"{_GOALS} that the board holds. Default: as the run, else ram."),
]
FamilyOption = Annotated[
    str,
    typer.Option(
        "--family",
        help="The kind of networks: mobile (inverted bottlenecks), regnetx, regnety, anynetx-a to anynetx-e.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same result.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
MinShareOption = Annotated[
    float,
    typer.Option(
        "--min-share", min=0.0, max=1.0, help="Least share of a space's networks that must fit for it to win."
    ),
]
DataDirOption = Annotated[
    str | None, typer.Option("--data-dir", help="Folder with NAME.npz (cifar10.npz), instead of a download.")
]
DATA_HELP = (
    "digits (embedded), cifar10, cifar100, mnist, fashion_mnist; or your own: a folder of class folders, or "
    "an .npz."
)


def output() -> Console:
    """Where results go."""
    return _console(sys.stdout.isatty(), stderr=False)


def remarks() -> Console:
    """Where progress and remarks go."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(is_terminal: bool, *, stderr: bool) -> Console:
    width = None if is_terminal or "COLUMNS" in os.environ else _WIDE
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


def make_table(left: Iterable[str], right: Iterable[str] = (), last: Iterable[str] = ()) -> Table:
    """A table whose columns are `left` (words), `right` (numbers), `last` (words)."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in left:
        table.add_column(name, no_wrap=True)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    for name in last:
        table.add_column(name)
    return table


def print_table(console: Console, table: Table) -> None:
    """`table`, wider than the terminal where it must be: its last column folds, but no figure is cut."""
    ample = console.options.update(max_width=_AMPLE)
    folding = [column for column in table.columns if not column.no_wrap]
    slack = 0
    for column in folding:
        widths = [Measurement.get(console, ample, cell) for cell in (column.header, *column.cells)]
        slack += max(each.maximum for each in widths) - max(each.minimum for each in widths)
    least = Measurement.get(console, ample, table).maximum - slack
    if least > console.width:
        table.width = least
    console.print(table, crop=False)


def print_facts(console: Console, facts: Iterable[tuple[str, str]]) -> None:
    """Lines of name and value, the values below each other; long ones are never broken."""
    rows = list(facts)
    widest = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        console.print(Text(f"{name:<{widest}}  {value}"), soft_wrap=True)


def say(console: Console, text: str = "", style: str | None = None) -> None:
    """One line, however long, broken by the terminal alone."""
    console.print(Text(text, style=style or ""), soft_wrap=True)


def percent(share: float | None, digits: int = 1) -> str:
    """``12.5 %``; a dash for what is not known."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def part_of(used: int, budget: int) -> str:
    """``75.2 KiB (77,008 B), 24 % of 320 KiB (327,680 B)``."""
    return f"{format_size(used)}, {100 * used / budget:.0f} % of {format_size(budget)}"


def board_line(board: Board) -> str:
    """``ST STM32F746G-DISCO (stm32f746): cortex-m7 with DSP, 216 MHz, 320 KiB (327,680 B) of SRAM, ...``."""
    dsp = "with DSP" if board.dsp else "without DSP"
    return (
        f"{board.name} ({board.id}): {board.core} {dsp}, {megahertz(board)}, "
        f"{format_size(board.sram_bytes)} of SRAM, {format_size(board.flash_bytes)} of flash"
    )


def budget_line(budget: Budget, *, is_target: bool = False) -> str:
    """The budget as it was understood, so that a wrong unit is seen; its time may be a target."""
    memories = f"{format_size(budget.sram_bytes)} of SRAM, {format_size(budget.flash_bytes)} of flash"
    if budget.latency_ms is None:
        return memories
    return f"{memories}, {time_line(budget.latency_ms, is_target=is_target)}"


def time_line(milliseconds: float, *, is_target: bool = False) -> str:
    """``30 ms an inference``, or that as the target that an objective weighs times against."""
    return f"{format_milliseconds(milliseconds)} an inference{' as the target' if is_target else ''}"


def say_times(console: Console, label: str | None) -> None:
    """How times are known where they decide anything: not every calibration that was made here is used."""
    if label is not None:
        say(console, f"times: {label}")


def runtime_line(runtime: str, goal: Goal) -> str:
    """``engine, optimized for speed``; without a word on what goes without saying."""
    return runtime if goal is Goal.RAM else f"{runtime}, optimized for {goal.value}"


def megahertz(board: Board) -> str:
    """``216 MHz``."""
    return f"{board.clock_hz / 1e6:g} MHz"


def check_file(option: str, path: Path) -> None:
    """Refuses before the work what would fail after it.

    Raises:
        RequestError: `path`, the value of `option`, cannot be a file.
    """
    if path.is_dir():
        raise RequestError(f"{option} '{path}' is a folder: name a file")
    if any(parent.exists() and not parent.is_dir() for parent in path.absolute().parents):
        raise RequestError(f"{option} '{path}' lies in a file, not in a folder: name another place")


def check_plot(path: Path) -> None:
    """Refuses before the work what would fail after it.

    Raises:
        RequestError: no picture can be written to `path`.
    """
    from tinynas.report.picture import FORMATS

    if path.suffix.lower() not in FORMATS:
        raise RequestError(f"--plot '{path}' must end in {' or '.join(FORMATS)}")
    check_file("--plot", path)
    if not path.absolute().parent.is_dir():
        raise RequestError(f"--plot '{path}' lies in a folder that does not exist: make it first")
