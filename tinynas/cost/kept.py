"""Calibrations that were made here: where they are kept, and why one is not used.

One holds for the kernels, the core and the goals that it was made with, and for firmware of its compiler.
Which one PlatformIO takes next only a build tells. So each board that answers says what built the firmware
on it (`heard`), and that is noted beside the calibration as long as the two differ.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path

from tinynas.board import Board
from tinynas.cost.calibration import Calibration, read
from tinynas.engine.goals import Goal
from tinynas.errors import RequestError


def kept(board: str, measured: bool) -> Path:
    """Where `tinynas profile` keeps its calibration of a real board, or of the virtual one."""
    folder = Path.home() / ".cache" / "tinynas" / "calibrations"
    return folder / f"{board}{'' if measured else '-virtual'}.json"


def find_kept(board: str, measured: bool) -> Calibration | None:
    """The calibration that is kept, if there is one.

    Raises:
        RequestError: a file is there that is none.
    """
    file = kept(board, measured)
    return _read(file, file.stat().st_mtime_ns) if file.is_file() else None


def fault(calibration: Calibration, board: Board, goal: Goal) -> str | None:
    """Why a kept one is refused for plans for `goal` on `board` and what to do, as a sentence's end."""
    where = "--port PORT" if calibration.measured else "--virtual"
    how = f"run `tinynas profile --board {calibration.board} {where}`"
    if calibration.core != board.core:
        return (
            f"is of a {calibration.core}, and this board has a {board.core}, so it is not used: {how} again"
        )
    if stale := calibration.stale:
        some = ", ".join(stale[:3]) + (", ..." if len(stale) > 3 else "")
        return f"was made with other kernels ({some}) and is not used: {how} again"
    if compiler := _other_compiler(calibration):
        return (
            f"is of firmware by {calibration.compiler}, and what answered last on the board was built by "
            f"{compiler}, so it is not used: {how} again"
        )
    if goal.value not in calibration.goals:
        made_for = ", ".join(calibration.goals)
        return f"is of plans for {made_for} and is not used for {goal.value}: {how} without --optimize"
    return None


def heard(board: str, measured: bool, compiler: str) -> str | None:
    """Note what built the firmware that has just answered on a board, real or virtual.

    Words for people where the calibration kept is of another compiler: it is not used any more, until the
    board is profiled again, or answers with firmware of that compiler.
    """
    # a calibration that cannot be read is told of where it is asked for
    with suppress(OSError, RequestError):
        calibration = find_kept(board, measured)
        if calibration is None or calibration.compiler == compiler:
            _note(board, measured).unlink(missing_ok=True)
        else:
            _note(board, measured).write_text(compiler + "\n", encoding="utf-8")
            return (
                f"times of {board} were calibrated with firmware by {calibration.compiler}, and this is by "
                f"{compiler}: run `tinynas profile` again"
            )
    return None


def _other_compiler(calibration: Calibration) -> str | None:
    """What built the firmware that answered last, where that is not the calibration's compiler."""
    with suppress(OSError, UnicodeDecodeError):
        last = _note(calibration.board, calibration.measured).read_text(encoding="utf-8").strip()
        if last != calibration.compiler:
            return last
    return None


def _note(board: str, measured: bool) -> Path:
    return kept(board, measured).with_suffix(".compiler")


@cache
def _read(file: Path, changed: int) -> Calibration:
    """The calibration in `file`, read once until it is `changed`."""
    return read(file)
