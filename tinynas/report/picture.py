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
    picture = rendered(draw(), form[1:])
    try:
        path.write_bytes(picture)
    except OSError as failure:
        _remove_partial(path)
        raise RunError(
            f"the picture {path} cannot be written ({failure.strerror}): make room or name another place"
        ) from None


def rendered(figure: Figure, form: str, *, salt: str = "tinynas", with_text: bool = False) -> bytes:
    """The ``png`` or ``svg`` of a figure, without a date or random ids: one figure always gives one file.

    What an SVG names by itself is drawn from `salt`; `with_text` keeps text as text, in the reader's fonts.
    """
    import matplotlib as mpl

    target = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none" if with_text else "path"}):
        figure.savefig(target, format=form, metadata={"Date": None} if form == "svg" else None)
    return target.getvalue()


def _remove_partial(path: Path) -> None:
    """Half a picture is worse than none; nothing is done where the folder itself is the trouble."""
    try:
        if path.is_file():
            path.unlink()
    except OSError:
        return
