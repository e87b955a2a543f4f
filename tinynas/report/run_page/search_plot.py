"""The pictures of a search: accuracy by generation, and against what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tinynas.report.run_page.sections import Axis, Evolution, Front
from tinynas.report.style import BLUE, FAINT, PAPER, RED, SMALL, new_figure, tidy
from tinynas.search import Candidate, Genes, Timing
from tinynas.units import KIB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: of a cost's unit in its field's
_SCALES = {"M": 1e6, "KiB": KIB, "ms": 1}
_COLUMNS = 2


def draw_evolution(evolution: Evolution) -> Figure:
    """Best so far, and of each generation its best, mean, standard deviation and whole range."""
    figure = new_figure(3.4)
    axes = figure.add_subplot()
    every = evolution.generations
    numbers = [generation.number for generation in every]
    mean = [100 * generation.mean for generation in every]
    low, high = ([100 * (g.mean + sign * g.deviation) for g in every] for sign in (-1, 1))
    axes.vlines(
        numbers,
        [100 * g.worst for g in every],
        [100 * g.best for g in every],
        color=FAINT,
        linewidth=1,
        label="worst to best",
        zorder=2,
    )
    if len(every) > 1:
        axes.fill_between(numbers, low, high, color=BLUE, alpha=0.18, linewidth=0, label="mean ± deviation")
    axes.plot(numbers, mean, "o-", color=BLUE, linewidth=1.8, markersize=4, label="mean", zorder=3)
    best = [100 * generation.best_yet for generation in every]
    axes.plot(numbers, best, drawstyle="steps-post", color=RED, linewidth=2.4, label="best so far", zorder=4)
    axes.plot(numbers, [100 * g.best for g in every], "o", color=RED, markersize=4, zorder=4)
    _whole_numbers(axes)
    axes.set_xlabel("generation")
    axes.set_ylabel("accuracy on held-out pictures, %")
    # outside, as generations end anywhere
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=SMALL)
    tidy(axes)
    return figure


def draw_front(front: Front) -> Figure:
    """Accuracy against every cost that is known; the front's networks are joined, the winner is marked."""
    rows = -(-len(front.axes) // _COLUMNS)
    figure = new_figure(2.6 * rows)
    panels = list(figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True).flat)
    for spare in panels[len(front.axes) :]:
        spare.set_visible(False)
    for number, (axes, axis) in enumerate(zip(panels, front.axes, strict=False)):
        _draw_cost(axes, front, axis)
        if number % _COLUMNS == 0:
            axes.set_ylabel("accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=SMALL
    )
    return figure


def draw_timings(timings: Sequence[Timing]) -> Figure:
    """Predicted against measured time of each network a board ran during the search; the line is exact."""
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    measured, modelled, corrected = (
        [getattr(timing, key) for timing in timings] for key in ("measured_ms", "modelled_ms", "corrected_ms")
    )
    axes.axline((0, 0), slope=1, color=FAINT, linewidth=1)
    axes.plot(measured, modelled, "o", color=BLUE, label="by the model alone")
    axes.plot(measured, corrected, "D", color=RED, markersize=5, label="as corrected by then")
    axes.set_xlim(0, 1.1 * max(measured))
    axes.set_ylim(0, 1.1 * max(*modelled, *corrected))
    axes.set_xlabel("measured, ms an inference")
    axes.set_ylabel("predicted, ms")
    axes.legend(loc="best", fontsize=SMALL, framealpha=0.9)
    tidy(axes)
    return figure


def cost_of(candidate: Candidate[Genes], axis: Axis) -> float:
    """The candidate's cost in the axis's unit."""
    return float(getattr(candidate.footprint, axis.key)) / _SCALES[axis.unit]


def _draw_cost(axes: Axes, front: Front, axis: Axis) -> None:
    others = [c for c in front.candidates if c not in front.front]
    axes.plot(*_points(others, axis), "o", color=FAINT, markersize=3, label="other networks")
    best = _undominated(front, axis)
    axes.plot(*_points(best, axis), drawstyle="steps-post", color=BLUE, linewidth=1.2, zorder=3)
    axes.plot(
        *_points(front.front, axis),
        "o",
        color=BLUE,
        markersize=4.5,
        markeredgecolor=PAPER,
        label="front",
        zorder=4,
    )
    winner = [candidate for candidate in front.candidates if candidate.genotype == front.winner]
    axes.plot(
        *_points(winner, axis), "*", color=RED, markersize=12, markeredgecolor=PAPER, label="result", zorder=5
    )
    axes.set_xlabel(f"{axis.title}, {'million' if axis.unit == 'M' else axis.unit}")
    tidy(axes)


def _points(candidates: Iterable[Candidate[Genes]], axis: Axis) -> tuple[list[float], list[float]]:
    every = list(candidates)
    return [cost_of(c, axis) for c in every], [100 * c.accuracy for c in every]


def _undominated(front: Front, axis: Axis) -> list[Candidate[Genes]]:
    """In this cost alone, cheapest first: each is more accurate than all that cost less."""
    best: list[Candidate[Genes]] = []
    for candidate in sorted(front.candidates, key=lambda c: (cost_of(c, axis), -c.accuracy)):
        if not best or candidate.accuracy > best[-1].accuracy:
            best.append(candidate)
    return best


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
