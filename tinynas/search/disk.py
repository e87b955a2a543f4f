"""Files that are whole or absent, whenever the process is killed, and disk troubles in one clear sentence."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinynas.errors import RunError

#: begins the name of a file still being written; what a kill leaves behind is overwritten next time
PARTIAL = ".partial-"

#: what a process has open while it works in a folder
LOCK = ".lock"

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_THE_WAY = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns every OSError inside into the RunError that says what `path` lacks and what to do.

    Raises:
        RunError: no space left, no right to write, something in the way, or any other trouble of the disk.
    """
    try:
        yield
    except OSError as error:
        raise RunError(_advice(path, error)) from error


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to; at the end `path` is replaced by it in one step.

    The temporary name keeps the suffix of `path`, which tells libraries the format. Folders in between
    are made. When the block raises, `path` is as it was.

    Raises:
        RunError: the disk does not take it.
    """
    partial = path.with_name(PARTIAL + path.name)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            sync(partial)
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        sync(path.parent)


@contextmanager
def held_alone(folder: Path, advice: str) -> Iterator[None]:
    """Holds `folder` against other processes; the system lets go when this one ends, however it ends.

    Raises:
        RunError: another one holds it, and `advice` is what to do; or the disk fails.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with disk_errors(folder):
            _take(descriptor, folder, advice)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path, advice: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunError(f"another tinynas works in '{folder}': {advice}") from error


def append_line(path: Path, line: str) -> None:
    """Adds `line` and its end to `path`; it is on the disk when this returns. Folders in between are made.

    Raises:
        RunError: the disk does not take it; part of the line may be left at the file's end.
    """
    with disk_errors(path):
        is_new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync(path.parent)


def sync(path: Path) -> None:
    """Makes what was written to a file, or the names in a folder, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _advice(path: Path, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        return (
            f"no space left on the disk of '{path}': free some and run the same command again; "
            "nothing finished so far is lost"
        )
    if error.errno in _FORBIDDEN:
        return f"'{path}' may not be used ({reason}): mend its permissions, or name another place"
    if error.errno in _IN_THE_WAY:
        return f"'{path}' cannot be made ({reason}): something is in its way, so name another place"
    return f"'{path}' cannot be read or written ({reason}): mend that and run the same command again"
