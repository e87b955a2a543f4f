"""The pictures of a page: what each shows, in words for those who cannot see it, and how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from tinynas.report import style
from tinynas.report.picture import rendered, write_picture
from tinynas.report.plan_plot import draw_plan
from tinynas.report.run_page.network_plot import draw_blocks, draw_operators
from tinynas.report.run_page.operator_table import operator_rows
from tinynas.report.run_page.search_plot import draw_evolution, draw_front, draw_timings
from tinynas.report.run_page.sections import Missing, Network, RunPage
from tinynas.report.run_page.training_plot import draw_training, draw_trials
from tinynas.report.space_plot import draw_distribution
from tinynas.search.disk import disk_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: colours that a reader's light or dark theme sets: a variable of the page's style each
THEMED: Mapping[str, str] = MappingProxyType(
    {
        style.INK: "ink",
        style.PAPER: "paper",
        style.GRID: "grid",
        style.EDGE: "edge",
        style.MUTED: "muted",
        style.FAINT: "faint",
        style.BLUE: "blue",
        style.RED: "red",
        style.GREEN: "green",
        style.ORANGE: "orange",
        style.PURPLE: "purple",
        style.TEAL: "teal",
        style.BROWN: "brown",
    }
)
#: shapes of one drawing beyond which an SVG would be larger than its picture
_MANY = 300


@dataclass(frozen=True)
class Picture:
    """One picture: `name` is its file's, `alt` says what it shows, `wide` one scrolls on a phone."""

    name: str
    alt: str
    draw: Callable[[], Figure]
    wide: bool = False

    def svg(self) -> str:
        """To be put into a page, in the page's colours, with text as text and without a title of its own."""
        figure = self.draw()
        for axes in figure.axes:
            axes.set_title("", loc="left")
            for drawn in axes.collections:
                drawn.set_rasterized(len(drawn.get_paths()) > _MANY)
        text = rendered(figure, "svg", salt=f"tinynas-{self.name}", with_text=True).decode()
        return _themed(_bare(text), self.alt)


def pictures_of(page: RunPage) -> dict[str, Picture]:
    """The pictures that the run has enough for, by name."""
    return {picture.name: picture for picture in _pictures(page)}


def write_pictures(pictures: Mapping[str, Picture], folder: Path) -> list[Path]:
    """Each as a PNG in `folder`, which is made; the files.

    Raises:
        RunError: the folder or a file cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files = {folder / f"{name}.png": picture for name, picture in pictures.items()}
    for file, picture in files.items():
        write_picture(file, picture.draw)
    return list(files)


def _pictures(page: RunPage) -> Iterator[Picture]:
    if not isinstance(space := page.space, Missing):
        yield Picture(
            "space",
            "Cumulative distribution of MACs over the satisfying networks of the best spaces; "
            f"{space.chosen_name} was chosen.",
            partial(draw_distribution, space, compact=True),
        )
    if not isinstance(training := page.training, Missing):
        names = ", ".join(curve.phase for curve in training.curves)
        alt = f"Loss and accuracy on training batches by epoch: {names}."
        yield Picture("training", alt, partial(draw_training, training))
    if page.trials:
        winner = None if isinstance(page.front, Missing) else page.front.winner
        alt = f"Accuracy of {len(page.trials)} networks by the steps each was trained on its own."
        yield Picture("trials", alt, partial(draw_trials, page.trials, winner))
    if not isinstance(evolution := page.evolution, Missing):
        best = evolution.generations[-1].best_yet
        alt = f"Best, mean and spread of accuracy by generation; the best reaches {best:.1%}."
        yield Picture("evolution", alt, partial(draw_evolution, evolution))
    if not isinstance(front := page.front, Missing):
        costs = ", ".join(axis.title for axis in front.axes)
        alt = f"Accuracy of {len(front.candidates)} networks against {costs}; the front is joined."
        yield Picture("front", alt, partial(draw_front, front))
    if page.timings:
        alt = f"Predicted against measured time of {len(page.timings)} networks run during the search."
        yield Picture("timings", alt, partial(draw_timings, page.timings))
    if not isinstance(network := page.network, Missing):
        yield from _of_network(page, network)


def _of_network(page: RunPage, network: Network) -> Iterator[Picture]:
    alt = f"The {len(network.blocks)} blocks of the network with MACs and arena in use of each."
    yield Picture("network", alt, partial(draw_blocks, network))
    if (plan := network.plan) is not None:
        alt = f"Where each feature map lies in the arena of {plan.arena:,} bytes, and when."
        yield Picture("memory", alt, partial(draw_plan, plan), wide=True)
    timed = {f"cycles-{each.name}": each.layers for each in page.deployed} or {"cycles": page.modelled}
    for name, layers in timed.items():
        if not isinstance(layers, Missing):
            alt = f"Cycles of each operator on {layers.board} ({layers.source})."
            rows = operator_rows(network, layers, page.modelled)
            yield Picture(name, alt, partial(draw_operators, rows))


def _bare(text: str) -> str:
    """The svg element alone, as wide as its place, without what only editors read."""
    start = text.index("<svg")
    text = re.sub(r"<metadata>.*?</metadata>", "", text[start:], flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", text, count=2)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    return re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", text).strip()


def _themed(text: str, alt: str) -> str:
    """Colours as the page's variables, and words for those who cannot see it."""
    for colour, name in THEMED.items():
        text = re.sub(rf"{colour}\b", f"var(--{name})", text, flags=re.IGNORECASE)
    return text.replace("<svg", f'<svg role="img" aria-label={quoteattr(alt)}', 1)
