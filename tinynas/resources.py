"""Files beside the code, boards and firmware: at the top of a checkout, inside of the package in a wheel."""

from __future__ import annotations

from pathlib import Path

from tinynas.errors import TinynasError

_PACKAGE = Path(__file__).resolve().parent
#: where a wheel carries them
_CARRIED = "_project"


def resource(path: str) -> Path:
    """The file or folder called `path` in a checkout.

    Raises:
        TinynasError: it is not where the installation puts it.
    """
    for root in (carried(), _PACKAGE.parent):
        if root is not None and (root / path).exists():
            return root / path
    raise TinynasError(f"{path} is missing beside {_PACKAGE}: install tinynas again")


def carried() -> Path | None:
    """The folder that stands for the checkout in a wheel; None in a checkout itself."""
    folder = _PACKAGE / _CARRIED
    return folder if folder.is_dir() else None
