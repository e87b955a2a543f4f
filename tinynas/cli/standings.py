"""What strategies came to, in words: what `compare` ends with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from rich.console import Console

from tinynas.cli.console import make_table, percent, print_facts, print_table, say
from tinynas.units import format_milliseconds

if TYPE_CHECKING:
    from tinynas.pipeline.comparison import Comparison
    from tinynas.search.curves import Standing

    #: a column's title, and what stands in it of a strategy
    Column = tuple[str, Callable[[Standing], str]]


def evaluations_of(shown: Sequence[Standing]) -> int:
    """How many each of the searches was given."""
    return max((len(standing.median) for standing in shown), default=0)


def print_comparison(
    console: Console, found: Comparison, shown: Sequence[Standing], plot: Path | None
) -> None:
    """What was compared and how it was judged, and a line for each strategy, best first."""
    searches = sum(len(standing.seeds) for standing in shown)
    print_facts(
        console,
        [
            ("comparison", str(found.path)),
            ("space", str(found.space)),
            ("judged by", _judge(found)),
            ("searches", f"{searches} of {evaluations_of(shown)} evaluations each"),
            ("networks", f"{found.networks:,} different ones scored, once each"),
        ],
    )
    if not shown:
        say(console, "no search is done yet: the same command goes on")
        return
    say(console)
    columns = _columns(found, shown)
    table = make_table(("strategy",), [title for title, _ in columns])
    for standing in sorted(shown, key=lambda s: -s.mean):
        table.add_row(standing.strategy, *(cell(standing) for _, cell in columns))
    print_table(console, table)
    say(console)
    say(console, "evaluations are the median over seeds, where who never gets there counts as last")
    if shown[0].latencies_ms:
        say(console, "latency is modelled: of each search's best network, in the mean")
    if plot is not None:
        say(console, f"plot: {plot}")


def _judge(found: Comparison) -> str:
    """``accuracy, within 30 ms an inference``."""
    if found.target_ms is None:
        return found.objective_name
    time = f"{format_milliseconds(found.target_ms)} an inference"
    if found.objective is None:
        return f"{found.objective_name}, within {time}"
    return f"{found.objective_name}, a reward with {time} as target"


def _columns(found: Comparison, shown: Sequence[Standing]) -> list[Column]:
    """Those of every comparison; accuracies beside rewards, times and who is in time where they are known."""
    rewarded, target = found.objective is not None, found.target_ms

    def worth(merit: float) -> str:
        return f"{merit:.4f}" if rewarded else percent(merit, 2)

    def reach(standing: Standing) -> str:
        return "-" if standing.typical_reach is None else f"{standing.typical_reach:g}"

    columns: list[Column] = [
        ("seeds", lambda s: str(len(s.seeds))),
        ("scored", lambda s: f"{s.networks:g}"),
        ("mean best", lambda s: worth(s.mean)),
        ("std", lambda s: worth(s.deviation)),
        ("worst", lambda s: worth(min(s.finals))),
        ("median", lambda s: worth(float(s.median[-1]))),
        ("best", lambda s: worth(max(s.finals))),
        (f"evaluations to {worth(shown[0].level)}", reach),
        ("got there", lambda s: f"{sum(r is not None for r in s.reached)} of {len(s.seeds)}"),
    ]
    if rewarded:
        columns.append(("accuracy", lambda s: percent(fmean(s.accuracies), 2)))
    # comparisons from before times were kept have none
    if all(standing.latencies_ms for standing in shown):
        columns.append(("latency", lambda s: format_milliseconds(fmean(s.latencies_ms))))
        if target is not None:
            columns.append(("in time", lambda s: f"{s.in_time(target)} of {len(s.seeds)}"))
    return columns
