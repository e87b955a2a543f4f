"""The picture of a comparison of strategies: the best so far, evaluation by evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinynas.errors import RequestError
from tinynas.report.picture import write_picture
from tinynas.report.style import COLOURS, MUTED, new_figure, tidy
from tinynas.report.style import title as set_title
from tinynas.search.curves import Standing
from tinynas.search.objective import ACCURACY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: of the height that the bands take, what is shown above and below
_MARGIN = 0.05
#: of the evaluations, those at the beginning that may leave the picture: chance, and most of the height
_OPENING = 0.2


def plot_comparison(found: Sequence[Standing], path: Path, title: str, objective: str = ACCURACY) -> None:
    """Draw the medians over seeds and the quartiles of `found` to `path`, a PNG or SVG by its suffix.

    `objective` is the name of what was maximised.

    Raises:
        RequestError: another suffix, or nothing is searched yet.
        RunError: the file cannot be written.
    """
    if not found:
        raise RequestError("no search of the comparison is done yet: there is nothing to draw")
    write_picture(path, lambda: draw_comparison(found, title, objective))


def draw_comparison(found: Sequence[Standing], title: str, objective: str = ACCURACY) -> Figure:
    """A line and a band for each strategy, and the level that evaluations are counted up to."""
    scale, unit, what = (100, " %", "accuracy") if objective == ACCURACY else (1, "", f"{objective} reward")
    digits = 2 if scale == 100 else 4
    figure = new_figure(height=6, width=8)
    axes = figure.subplots()
    tidy(axes)
    for place, standing in enumerate(sorted(found, key=lambda each: -each.mean)):
        colour = COLOURS[place % len(COLOURS)]
        low, median, high = (scale * curve for curve in (standing.low, standing.median, standing.high))
        evaluations = np.arange(1, len(median) + 1)
        spread = f"{scale * standing.mean:.{digits}f} ± {scale * standing.deviation:.{digits}f}{unit}"
        label = f"{standing.strategy}  {spread}"
        axes.step(evaluations, median, where="post", color=colour, linewidth=2, label=label, zorder=3)
        axes.fill_between(evaluations, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
    level = scale * found[0].level
    label = f"level that evaluations are counted to, {level:.{digits}f}{unit}"
    axes.axhline(level, color=MUTED, linewidth=1, linestyle="--", zorder=2, label=label)
    begin = int(_OPENING * len(found[0].median))
    least = min(float(standing.low[begin]) for standing in found)
    most = max(float(standing.high[-1]) for standing in found)
    room = _MARGIN * max(most - least, 0.001)
    axes.set_ylim(scale * (least - room), scale * (most + room))
    axes.set_xlim(1, len(found[0].median))
    axes.set_xlabel("networks scored")
    seeds = len(found[0].seeds)
    axes.set_ylabel(f"best {what} so far{unit and ','}{unit}\n(median of {seeds} seeds; bands: quartiles)")
    # outside, as curves end anywhere
    figure.legend(
        loc="outside lower center", ncols=2, frameon=False, title="last best, mean ± standard deviation"
    )
    set_title(axes, title)
    return figure
