"""The page of a run as one HTML file that needs nothing else: no scripts, no fonts, no pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tinynas
from tinynas.board import load_board
from tinynas.errors import RequestError
from tinynas.report.memory_table import MemoryRow
from tinynas.report.run_page.operator_table import costliest, operator_rows
from tinynas.report.run_page.pictures import Picture
from tinynas.report.run_page.sections import SPACES, Axis, Deployed, Result, RunPage
from tinynas.search import Candidate, Genes
from tinynas.search.objective import ACCURACY
from tinynas.units import format_count, format_milliseconds, format_seconds, format_size

if TYPE_CHECKING:
    from jinja2 import Environment

#: networks of the front listed at most
_MOST = 12
#: operators listed beside their picture
_COSTLIEST = 10
_SECTIONS = (
    ("request", "Request"),
    ("space", "Design space"),
    ("training", "Training"),
    ("search", "Search"),
    ("front", "Accuracy against cost"),
    ("network", "Network"),
    ("board", "On the board"),
    ("int8", "int8 against float"),
    ("environment", "Environment"),
)
#: of a request, and what they are called on the page
_SIZES = {"sram_bytes": "SRAM", "flash_bytes": "flash"}
_WORDS = {
    "data": "data",
    "effort": "effort",
    "runtime": "runtime",
    "optimize": "optimized for",
    "strategy": "strategy",
    "objective": "objective",
    "measure_on": "measured on",
    "supernet": "supernet taken from",
    "backend": "backend",
    "seed": "seed",
}
_DASH = "–"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A picture as the template takes it; `svg` is our own markup."""

    svg: Any
    wide: bool


def render(page: RunPage, pictures: Mapping[str, Picture]) -> str:
    """The page; all text of the run is escaped."""
    from markupsafe import Markup

    environment = _environment()
    css = environment.get_template("run.css").render()
    drawn = {name: _Drawn(Markup(picture.svg()), picture.wide) for name, picture in pictures.items()}
    return environment.get_template("run.html.j2").render(
        page=page,
        svgs=drawn,
        css=Markup(css),
        asked=_asked(page),
        board_name=_board_name(str(page.request.get("board", "a board"))),
        sections=_SECTIONS,
        operator_rows=lambda layers: operator_rows(page.network, layers, page.modelled),
        costliest=lambda rows: costliest(rows, _COSTLIEST),
        most=_MOST,
        most_spaces=SPACES,
        version=tinynas.__version__,
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("tinynas.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(_FILTERS)
    return made


def _asked(page: RunPage) -> list[tuple[str, str]]:
    """The request in words."""
    request = page.request
    board = str(request.get("board", _DASH))
    facts = [("board", f"{_board_name(board)} ({board})"), ("family", page.family)]
    facts += [(title, format_size(request[key])) for key, title in _SIZES.items() if key in request]
    if request.get("latency_ms") is not None:
        meant = "at most" if request.get("objective", ACCURACY) == ACCURACY else "as the target"
        facts.append(("one inference", f"{format_milliseconds(request['latency_ms'])} {meant}"))
    return [*facts, *((title, str(request[key])) for key, title in _WORDS.items() if key in request)]


def _board_name(board: str) -> str:
    """Its name; a board of one's own may be known elsewhere only."""
    try:
        return load_board(board).name
    except RequestError:
        return board


def percent(share: float | None, digits: int = 1) -> str:
    """``12.5 %``."""
    return _DASH if share is None else f"{100 * share:.{digits}f} %"


def _short_size(size: int) -> str:
    return format_size(size).split(" (")[0]


def _bytes(size: int | None) -> str:
    return _DASH if size is None else f"{size:,} B"


def _cost(candidate: Candidate[Genes], axis: Axis) -> str:
    """Bytes to the last one, the rest in a few digits: all columns must fit beside a picture."""
    value = getattr(candidate.footprint, axis.key)
    return {"M": format_count, "ms": format_milliseconds}.get(axis.unit, "{:,}".format)(value)


def _error(row: MemoryRow) -> str:
    if row.predicted is None or row.elf is None:
        return _DASH
    return "exact" if row.error is None else f"{100 * row.error:+.1f} %"


def _latency_error(each: Deployed) -> str:
    if each.predicted is None or each.measured is None:
        return _DASH
    return f"{100 * (each.predicted.latency_ms / each.measured.latency_ms - 1):+.1f} %"


def _right(result: Result, accuracy: float) -> str:
    pictures = result.test_pictures
    return _DASH if not pictures else f"{round(accuracy * pictures):,} of {pictures:,}"


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "percent": percent,
    "ms": format_milliseconds,
    "duration": format_seconds,
    "count": lambda number: _DASH if number is None else format_count(number),
    "thousands": lambda number: f"{number:,}",
    "size": format_size,
    "short_size": _short_size,
    "bytes": _bytes,
    "dash": lambda value: _DASH if value is None else value,
    "words": lambda name: name.replace("_", " "),
    "cost": _cost,
    "error": _error,
    "latency_error": _latency_error,
    "right": _right,
    "block_name": lambda row: "head" if row.block is None else row.block + 1,
}
