"""Writing a figure to a file: PNG or SVG, whole or not at all, the same bytes for the same figure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from tinynas.errors import RequestError, RunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

#: suffixes of the pictures that can be drawn
FORMATS = (".png", ".svg")


def write_picture(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw to `path`, a PNG or SVG by its suffix.

    Raises:
        RequestError: another suffix.
        RunError: the file cannot be written.
    """
    form = path.suffix.lower()
    if form not in FORMATS:
        raise RequestError(f"'{path}' is not a picture that can be drawn: end it in {' or '.join(FORMATS)}")
    picture = _rendered(draw(), form[1:])
    try:
        path.write_bytes(picture)
    except OSError as failure:
        _remove_partial(path)
        raise RunError(
            f"the picture {path} cannot be written ({failure.strerror}): make room or name another place"
        ) from None


def _rendered(figure: Figure, form: str) -> bytes:
    """Without a date or random ids, so that one report always gives one file."""
    import matplotlib as mpl

    target = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "tinynas"}):
        figure.savefig(target, format=form, metadata={"Date": None} if form == "svg" else None)
    return target.getvalue()


def _remove_partial(path: Path) -> None:
    """Half a picture is worse than none; nothing is done where the folder itself is the trouble."""
    try:
        if path.is_file():
            path.unlink()
    except OSError:
        return
