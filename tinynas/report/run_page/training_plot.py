"""The curves of a run's trainings: loss and accuracy along each phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinynas.report.run_page.sections import Training
from tinynas.report.style import COLOURS, new_figure, tidy

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
        above.set_title(curve.phase if curve.is_done else f"{curve.phase} (unfinished)", fontsize=10)
        below.set_xlabel("epoch")
        for axes in (above, below):
            tidy(axes)
            axes.set_xlim(0, epochs[-1])
        below.set_ylim(0, 100)
    panels[0, 0].set_ylabel("loss")
    panels[1, 0].set_ylabel("accuracy, %")
    return figure
