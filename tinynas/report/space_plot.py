"""The picture of stage 1: how MACs are distributed over the satisfying networks of the best spaces.

The cumulative distributions of MCUNet's figure 3: a curve further to the right belongs to a space whose
networks compute more within the same memory. The 80th percentile is marked on each, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinynas.report.picture import write_picture
from tinynas.report.style import (
    BLUE,
    BROWN,
    EDGE,
    FAINT,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    SMALL,
    TEAL,
    new_figure,
    tidy,
)
from tinynas.spaces import SpaceReport, SpaceStats
from tinynas.units import format_size

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CHOSEN = RED
#: the runners-up
_OTHERS = (BLUE, GREEN, ORANGE, PURPLE, MUTED, TEAL, BROWN)
_P80 = 0.8
#: points between the mark of the chosen space and what is said of it
_BESIDE = 14
#: as wide as a line's sample in the legend, so that its headings stand above their columns
_HANDLE = 5 * " "
#: of a space's name in the legend, at least
_NAME_WIDTH = 10


def plot_distribution(report: SpaceReport, path: Path, *, top: int = 5) -> None:
    """Draw the `top` spaces of `report` to `path`, a PNG or SVG by its suffix.

    Raises:
        RequestError: another suffix.
        RunError: the file cannot be written.
    """
    write_picture(path, lambda: draw_distribution(report, top))


def draw_distribution(report: SpaceReport, top: int = 5, *, compact: bool = False) -> Figure:
    """The figure: a curve for each of the `top` spaces by mean MACs, the chosen one thick and in front.

    A `compact` one stands beside a table, which has its title and the spaces' figures.
    """
    figure = new_figure(3.5) if compact else new_figure(5, 8)
    axes = figure.add_subplot()
    shown = report.ranking[:top]
    for place, stats in reversed(list(enumerate(shown))):
        colour = _CHOSEN if stats.name == report.chosen_name else _OTHERS[(place - 1) % len(_OTHERS)]
        _draw_curve(axes, stats, colour, _name_width(shown))
    _label(axes, shown)
    _draw_percentile(axes, shown, report.chosen_name)
    if compact:
        axes.legend(*_best_first(axes, names_alone=True), loc="best", fontsize=SMALL, framealpha=0.9)
    else:
        _explain(axes, report, shown)
    return figure


def _name_width(shown: Sequence[SpaceStats]) -> int:
    return max(_NAME_WIDTH, *(len(stats.name) for stats in shown)) if shown else _NAME_WIDTH


def _draw_curve(axes: Axes, stats: SpaceStats, colour: str, name_width: int) -> None:
    chosen = colour == _CHOSEN
    macs = np.array(stats.macs_quantiles) / 1e6
    share = np.linspace(0, 1, len(macs))
    label = f"{stats.name:<{name_width}} {_millions(stats.mean_macs):>6}  {_percent(stats.share):>5}"
    axes.plot(
        macs,
        share,
        color=colour,
        linewidth=3 if chosen else 1.6,
        alpha=1 if chosen else 0.85,
        zorder=4 if chosen else 3,
        label=label + ("  chosen" if chosen else ""),
        gid=stats.name,
    )
    axes.plot(
        [(stats.p80_macs or 0) / 1e6],
        [_P80],
        marker="o",
        markersize=8 if chosen else 5.5,
        color=colour,
        markeredgecolor="white",
        zorder=5,
    )


def _draw_percentile(axes: Axes, shown: Sequence[SpaceStats], chosen: str) -> None:
    axes.axhline(_P80, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.text(
        0.008, _P80 + 0.012, "p = 80 %", color=MUTED, fontsize=SMALL, transform=axes.get_yaxis_transform()
    )
    for stats in shown:
        if stats.name != chosen or stats.p80_macs is None:
            continue
        words = axes.annotate(
            f"({_millions(stats.p80_macs)}, 80 %)",
            (stats.p80_macs / 1e6, _P80),
            xytext=(_BESIDE, -26),
            textcoords="offset points",
            color=_CHOSEN,
            fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": _CHOSEN, "linewidth": 1},
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            zorder=6,
        )
        # the chosen curve is often the last, and words behind it would take their room from the axes
        words.set_in_layout(False)
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.draw_without_rendering()
        if words.get_window_extent().x1 > axes.bbox.x1:
            words.set(x=-_BESIDE, horizontalalignment="right")


def _label(axes: Axes, shown: Sequence[SpaceStats]) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.set_xlabel("million MACs of a satisfying network")
    axes.set_ylabel("cumulative share of satisfying networks")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(0, 1.03)
    tidy(axes)
    if not shown:
        message = "no sampled network satisfies the budget"
        axes.text(0.5, 0.5, message, ha="center", transform=axes.transAxes, color=MUTED)


def _best_first(axes: Axes, *, names_alone: bool = False) -> tuple[list[Artist], list[str]]:
    """What a legend lists: curves are drawn back to front."""
    handles, labels = axes.get_legend_handles_labels()
    texts = [label.split()[0] for label in labels] if names_alone else labels
    return handles[::-1], texts[::-1]


def _explain(axes: Axes, report: SpaceReport, shown: Sequence[SpaceStats]) -> None:
    """What a figure that stands alone needs: a title, and a legend with every space's figures."""
    limits = (report.budget.sram_bytes, report.budget.flash_bytes)
    sram, flash = (format_size(size).split(" (")[0] for size in limits)
    axes.set_title(
        f"{report.board}: {report.family} networks within {sram} SRAM and {flash} flash ({report.runtime})",
        loc="left",
        fontsize=12,
        fontweight="bold",
    )
    legend = axes.legend(
        *_best_first(axes),
        title=f"{_HANDLE}{'space':<{_name_width(shown)}} {'mean':>6}  {'fit':>5}",
        loc="lower right",
        framealpha=0.92,
        edgecolor=EDGE,
        prop={"family": "monospace", "size": 9},
        title_fontproperties={"family": "monospace", "size": 9, "weight": "bold"},
        alignment="left",
    )
    legend.set_zorder(10)


def _millions(macs: float | None) -> str:
    return f"{(macs or 0) / 1e6:.1f}M"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.1 else f"{100 * share:.1f}%"
