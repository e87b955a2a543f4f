"""Files of JSON lines that survive any kill: the last line may be torn, and is then left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tinynas.errors import RunError
from tinynas.search.disk import disk_errors

_T = TypeVar("_T")


def read_lines(path: Path, parse: Callable[[str], _T]) -> list[_T]:
    """What `parse` makes of the lines in `path`, in order; none if there is no such file.

    A last line without its end is one a kill cut short and is left out. The file is only read.

    Raises:
        RunError: `parse` raised ValueError for another line (the message names it), or the disk fails.
    """
    complete, _ = _halves(path)
    lines = complete.split(b"\n")[:-1]
    return [_parsed(path, number, line, parse) for number, line in enumerate(lines, start=1)]


def cut_torn_line(path: Path) -> None:
    """Removes the line that a kill cut short, if there is one, so that lines can be appended.

    Raises:
        RunError: the disk fails.
    """
    complete, torn = _halves(path)
    if torn:
        with disk_errors(path), path.open("r+b") as file:
            file.truncate(len(complete))


def typed_field(data: Mapping[str, Any], name: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    """The field `name` of an object read from a line.

    Raises:
        ValueError: it is missing or not of this `kind`.
    """
    if name not in data:
        raise ValueError(f"its '{name}' is missing")
    # bool is an int to Python, never to us
    if not isinstance(data[name], kind) or isinstance(data[name], bool):
        raise ValueError(f"its '{name}' is of the wrong kind")
    return data[name]


def _halves(path: Path) -> tuple[bytes, bytes]:
    """Complete lines, and what follows the last line's end."""
    with disk_errors(path):
        content = path.read_bytes() if path.exists() else b""
    cut = content.rfind(b"\n") + 1
    return content[:cut], content[cut:]


def _parsed(path: Path, number: int, line: bytes, parse: Callable[[str], _T]) -> _T:
    try:
        return parse(line.decode())
    except ValueError as error:
        raise RunError(
            f"'{path}' is damaged in line {number} ({error}): delete that line and run the same command "
            "again; only its network is scored anew"
        ) from error
