"""The picture of a plan: which feature map lies where in the arena, and when.

Time runs to the right, measured in multiply-accumulates done; addresses run upwards. Each row is drawn
from the moment it is made to the moment it is last read, so rings look like stairs, and an output over its
used-up input like two wedges that fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinynas.cost.compute import operator_macs
from tinynas.engine.plan import Plan
from tinynas.engine.timeline import Timeline, timeline
from tinynas.report.picture import write_picture
from tinynas.report.style import BLUE, BROWN, EDGE, GREEN, MUTED, ORANGE, PURPLE, RED, TEAL, new_figure
from tinynas.units import KIB, format_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: neighbours in time differ in hue and in lightness
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, TEAL, RED, BROWN, MUTED)
_LONGEST_NAME = 40
#: of all MACs, what a step without any is drawn as, so that it can be seen
_LEAST_WIDTH = 2e-4


def plot_plan(plan: Plan, path: Path) -> None:
    """Draw `plan` to `path`, a PNG or SVG by its suffix.

    Raises:
        RequestError: another suffix.
        RunError: the file cannot be written.
    """
    write_picture(path, lambda: draw_plan(plan))


def draw_plan(plan: Plan) -> Figure:
    """The figure: rows over addresses and time above, bytes in use over time below."""
    story = timeline(plan)
    times = _times(plan, story)
    figure = new_figure(6.5, 10)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    _draw_rows(above, plan, story, times)
    _draw_use(below, plan, story, times)
    return figure


def _times(plan: Plan, story: Timeline) -> NDArray[np.float64]:
    """Millions of MACs done before each moment, and in all: [moments + 1]."""
    graph = plan.graph
    macs = np.array([operator_macs(graph, op) for op in graph.operators], np.float64)
    steps = np.bincount(story.operators, minlength=len(macs))
    each = (macs / np.maximum(steps, 1))[story.operators]
    each = np.maximum(each, _LEAST_WIDTH * max(each.sum(), 1.0))
    times: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(each)]) / 1e6
    return times


def _draw_rows(axes: Axes, plan: Plan, story: Timeline, times: NDArray[np.float64]) -> None:
    from matplotlib.collections import PolyCollection

    corners, colours = [], []
    order = {tensor: number for number, tensor in enumerate(plan.maps)}
    for life in story.lives:
        left, right = times[max(life.begin, 0)], times[life.end + 1]
        low, high = life.offset / KIB, (life.offset + life.size) / KIB
        corners.append([(left, low), (left, high), (right, high), (right, low)])
        colours.append(_COLOURS[order[life.tensor] % len(_COLOURS)])
    axes.add_collection(PolyCollection(corners, facecolors=colours, edgecolors="white", linewidths=0.15))
    for first, _ in plan.groups[1:]:
        begins = int(np.argmax(story.operators == first))
        axes.axvline(times[begins], color=EDGE, linewidth=0.4, zorder=0)
    axes.axhline(plan.arena / KIB, color=RED, linewidth=1.2)
    axes.set_xlim(0, float(times[-1]))
    axes.set_ylim(0, plan.arena / KIB * 1.05)
    axes.set_ylabel("address in the arena, KiB")
    axes.set_title(
        f"{_short(plan.graph.name)}: {format_size(plan.arena)} of SRAM, "
        f"{len(plan.graph.operators)} operators in {len(plan.groups)} groups",
        loc="left",
        fontweight="bold",
    )
    axes.spines[["top", "right"]].set_visible(False)


def _draw_use(axes: Axes, plan: Plan, story: Timeline, times: NDArray[np.float64]) -> None:
    use = story.bytes_in_use() / KIB
    axes.fill_between(times[:-1], use, step="post", color=BLUE, alpha=0.8, linewidth=0)
    axes.axhline(plan.arena / KIB, color=RED, linewidth=1.2)
    axes.set_ylim(0, plan.arena / KIB * 1.08)
    axes.set_ylabel("in use, KiB")
    axes.set_xlabel("million multiply-accumulates done; grey lines begin a group")
    axes.spines[["top", "right"]].set_visible(False)


def _short(name: str) -> str:
    """A genotype's whole text would not fit a title."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."
