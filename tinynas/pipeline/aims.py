"""What firmware's plans are made for: the goal asked for or the run's own, within what the board holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinynas.board import Board
from tinynas.cost.code_table import code_table
from tinynas.device.linker import memory_map
from tinynas.device.prediction import parts_around
from tinynas.engine.goals import Aim, Goal
from tinynas.errors import BoardError


def aim_on(board: Board, goal: Goal, inputs: int = 1) -> Aim:
    """Plans for `goal` in firmware for `board` of a network of so many `inputs`: the arena fits beside it."""
    around = parts_around(code_table(), board, inputs)
    try:
        stretch = memory_map(board).ram_bytes
    except BoardError:
        stretch = board.sram_bytes
    return Aim(goal, stretch - (around.stack or 0) - (around.variables or 0))


def aim_of_run(request: Mapping[str, Any], board: Board, goal: Goal | None = None) -> Aim:
    """The same for the network of a run: for its own goal unless told otherwise, within its own budget."""
    aim = aim_on(board, goal or Goal(request.get("optimize", Goal.RAM.value)))
    allowed = request.get("sram_bytes")
    return aim if allowed is None or aim.arena is None else replace(aim, arena=min(aim.arena, int(allowed)))
