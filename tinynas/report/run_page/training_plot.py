"""The curves of a run's trainings: loss and accuracy along each phase, and the short ones of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinynas.report.run_page.sections import Training, Trial
from tinynas.report.style import BLUE, COLOURS, FAINT, RED, SMALL, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_training(training: Training) -> Figure:
    """Loss above, accuracy below; phases one after the other, each over its own epochs."""
    curves = training.curves
    figure = new_figure(4.2)
    panels = figure.subplots(2, len(curves), squeeze=False, sharey="row")
    for curve, colour, (above, below) in zip(curves, COLOURS, panels.T, strict=False):
        epochs = [point.epoch for point in curve.points]
        above.plot(epochs, [point.loss for point in curve.points], color=colour, linewidth=1.8)
        below.plot(epochs, [100 * point.accuracy for point in curve.points], color=colour, linewidth=1.8)
        name = curve.phase.replace(" ", "\n", 1)
        above.set_title(name if curve.is_done else f"{name}\n(unfinished)", fontsize=10)
        below.set_xlabel("epoch")
        for axes in (above, below):
            tidy(axes)
            axes.set_xlim(0, epochs[-1])
        below.set_ylim(0, 100)
    panels[0, 0].set_ylabel("loss")
    panels[1, 0].set_ylabel("accuracy, %")
    return figure


def draw_trials(trials: Sequence[Trial], winner: str | None) -> Figure:
    """Accuracy of every network by the steps it was trained on its own; the `winner` is red."""
    figure = new_figure(3.2)
    axes = figure.add_subplot()
    furthest = max(trial.steps[-1] for trial in trials)
    looks: dict[str, dict[str, Any]] = {
        "stopped early": {"color": FAINT, "linewidth": 1, "zorder": 2},
        "trained to the end": {"color": BLUE, "linewidth": 1.4, "zorder": 3},
        "result": {"color": RED, "linewidth": 2.4, "zorder": 4},
    }
    for trial in trials:
        kind = "trained to the end" if trial.steps[-1] == furthest else "stopped early"
        look = looks["result" if trial.genotype == winner else kind]
        axes.plot(trial.steps, [100 * a for a in trial.accuracies], "o-", markersize=3.5, **look)
    for name, look in looks.items():
        axes.plot([], [], label=name, **look)
    axes.set_xlabel("steps trained")
    axes.set_ylabel("accuracy on held-out pictures, %")
    axes.legend(loc="best", fontsize=SMALL, framealpha=0.9)
    tidy(axes)
    return figure
