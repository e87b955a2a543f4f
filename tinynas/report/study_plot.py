"""The pictures of a study: the figures of the RegNet papers from its table.

Each is a function of a study and its findings; `FIGURES` has them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinynas.errors import RequestError
from tinynas.report.picture import write_picture
from tinynas.report.style import COLOURS, MUTED, new_figure, tidy
from tinynas.study.analysis import Findings, analyse
from tinynas.study.folder import Study
from tinynas.study.properties import PROPERTIES
from tinynas.study.record import Sampled
from tinynas.study.times import model_times
from tinynas.units import format_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
#: of a panel's height, between the bars of two spaces
_BAR = 0.045

Draw: TypeAlias = "Callable[[Study, Sequence[Findings]], Figure]"


def plot_study(study: Study, path: Path, figure: str = "edf") -> None:
    """Draw one of `FIGURES` to `path`, a PNG or SVG by its suffix.

    Raises:
        RequestError: another suffix or figure, or nothing is trained yet.
        RunError: the file cannot be written.
    """
    if figure not in FIGURES:
        raise RequestError(f"'{figure}' is not a figure of a study: choose {', '.join(FIGURES)}")
    findings = analyse(study)
    write_picture(path, lambda: FIGURES[figure](study, findings))


def draw_edf(study: Study, findings: Sequence[Findings]) -> Figure:
    """F(e) of each space: a curve further to the left belongs to a space of better networks."""
    figure, (axes,) = _panels(1, size=(7, 5))
    for found, colour in _coloured(findings):
        n = len(found.edf.errors)
        errors = np.concatenate([found.edf.errors[:1], found.edf.errors]) * 100
        shares = np.concatenate([[0.0], found.edf.shares])
        label = f"{found.space}  n = {n}, median {100 * found.edf.median:.1f} %"
        axes.plot(errors, shares, drawstyle="steps-post", color=colour, linewidth=2, label=label)
        axes.plot([100 * found.edf.median], [0.5], "o", color=colour, markeredgecolor="white", zorder=5)
    axes.set_xlabel("error on held-out pictures, %")
    axes.set_ylabel("share of networks with a lower error")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower right", framealpha=0.92)
    _title(axes, study, findings)
    return figure


def draw_efficiency(study: Study, findings: Sequence[Findings]) -> Figure:
    """Random search: the best of N networks, its mean and standard deviation (NDS, section 5)."""
    figure, (axes,) = _panels(1, size=(7, 5))
    for found, colour in _coloured(findings):
        mean, deviation = 100 * found.best_of.mean, 100 * found.best_of.deviation
        draws = np.arange(1, len(mean) + 1)
        axes.plot(draws, mean, color=colour, linewidth=2, label=found.space)
        axes.fill_between(draws, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlabel("networks trained by random search")
    axes.set_ylabel("error of the best, % (mean and standard deviation)")
    axes.legend(framealpha=0.92)
    _title(axes, study, findings)
    return figure


def draw_properties(study: Study, findings: Sequence[Findings]) -> Figure:
    """Error against each property; the bars say where the best network lies: 95 % of empirical bootstraps."""
    names = [name for name in PROPERTIES if any(name in found.properties for found in findings)]
    figure, panels = _panels(max(1, len(names)))
    for axes, name in zip(panels, names, strict=False):
        shown = PROPERTIES[name]
        for row, (found, colour) in enumerate(_coloured(findings), start=1):
            points = [(shown.of(r.network), 100 * r.outcome.error) for r in study.of(found.space)]
            known = [(x, y) for x, y in points if x is not None]
            if known:
                axes.plot(*zip(*known, strict=True), "o", color=colour, markersize=3.5, alpha=0.7)
            if (interval := found.properties.get(name)) is not None:
                height = [1 - _BAR * row] * 2
                place: dict[str, Any] = {
                    "transform": axes.get_xaxis_transform(),
                    "color": colour,
                    "clip_on": False,
                }
                axes.plot([interval.low, interval.high], height, linewidth=2, **place)
                axes.plot([interval.median], height[:1], "|", markersize=10, markeredgewidth=2.5, **place)
        axes.margins(y=_BAR * (len(findings) + 1))
        _count_axis(axes, shown.wide)
        axes.set_xlabel(shown.title)
        axes.set_ylabel("error, %")
    _name_spaces(figure, findings, bars="bars: where the best lies, median and 95 %")
    return figure


def draw_fit(study: Study, findings: Sequence[Findings]) -> Figure:
    """Error against e_fit, how far a network's widths are from a quantised linear rule (RegNet, fig. 7)."""
    figure, (axes,) = _panels(1, size=(7, 5))
    for found, colour in _coloured(findings):
        error = {r.network.index: 100 * r.outcome.error for r in study.of(found.space)}
        known = found.fit_correlation
        rank = "" if known is None else f", rank correlation {known:.2f}"
        axes.plot(
            list(found.fits.values()),
            [error[index] for index in found.fits],
            "o",
            color=colour,
            markersize=4,
            alpha=0.8,
            label=f"{found.space}{rank}",
        )
    axes.set_xlabel("e_fit: mean |log(width / fitted width)| over blocks")
    axes.set_ylabel("error, %")
    axes.legend(framealpha=0.92)
    _title(axes, study, findings)
    return figure


def draw_complexity(study: Study, findings: Sequence[Findings]) -> Figure:
    """Activations, SRAM and modelled time against MACs: what they mean for a board's memory and speed."""
    panes: list[tuple[str, Callable[[Sampled], float]]] = [
        ("activations", lambda network: network.activations),
        ("SRAM, bytes", lambda network: network.sram_bytes),
    ]
    if (times := model_times(study)) is not None:
        panes.append(("time, ms", lambda network: times.milliseconds[network.key]))
    figure, panels = _panels(len(panes))
    for axes, (title, value) in zip(panels, panes, strict=True):
        for found, colour in _coloured(findings):
            networks = [record.network for record in study.of(found.space)]
            axes.plot(
                [n.macs for n in networks], [value(n) for n in networks], "o", color=colour, markersize=4
            )
        axes.set_yscale("log")
        _count_axis(axes, wide=True)
        axes.set_xlabel("multiply-accumulates")
        axes.set_ylabel(title)
    if times is not None:
        panels[-1].set_title(fill(times.label, 50), loc="left", fontsize=7)
    _name_spaces(figure, findings)
    return figure


FIGURES: Mapping[str, Draw] = MappingProxyType(
    {
        "edf": draw_edf,
        "efficiency": draw_efficiency,
        "properties": draw_properties,
        "fit": draw_fit,
        "complexity": draw_complexity,
    }
)


def _panels(count: int, size: tuple[float, float] | None = None) -> tuple[Figure, list[Axes]]:
    rows = -(-count // _COLUMNS)
    columns = min(count, _COLUMNS)
    width, height = size or (4 * columns, 3.2 * rows + 0.5)
    figure = new_figure(height, width)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    for axes in panels[:count]:
        tidy(axes)
    return figure, panels[:count]


def _count_axis(axes: Axes, wide: bool) -> None:
    """Numbers along x as people write them, at 1, 2, 5, 10 where the range is `wide`."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
    text = FuncFormatter(lambda value, _: format_count(value) if value >= 1000 else f"{value:g}")
    axes.xaxis.set_major_formatter(text)


def _coloured(findings: Sequence[Findings]) -> list[tuple[Findings, str]]:
    return [(found, COLOURS[place % len(COLOURS)]) for place, found in enumerate(findings)]


def _name_spaces(figure: Figure, findings: Sequence[Findings], bars: str = "") -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=found.space)
        for found, colour in _coloured(findings)
    ]
    if bars:
        marks.append(Line2D([], [], color=MUTED, marker="|", markersize=10, linewidth=2, label=bars))
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks), frameon=False)


def _title(axes: Axes, study: Study, findings: Sequence[Findings]) -> None:
    """The data, the training, and the band that networks were drawn from."""
    request = study.request
    networks = [record.network.macs for record in study.records]
    band = request.get("macs_band") or [min(networks), max(networks)]
    epochs = request.get("epochs", 0)
    axes.set_title(
        f"{request.get('data')} at {request.get('resolution')} px, {epochs:g} "
        f"epoch{'' if epochs == 1 else 's'}, {format_count(band[0])} to {format_count(band[1])} MACs",
        loc="left",
        fontsize=11,
        fontweight="bold",
    )
