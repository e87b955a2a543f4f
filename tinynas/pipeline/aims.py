"""What firmware's plans are made for: the goal asked for or the run's own, within what the board holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinynas.board import Board
from tinynas.cost import aim_of
from tinynas.cost.code_table import code_table
from tinynas.cost.engine_flash import most_code_bytes
from tinynas.cost.prices import price_on
from tinynas.device.golden import GOLDEN_VECTORS
from tinynas.device.linker import memory_map
from tinynas.device.prediction import Network, linked_flash, parts_around
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.kernels import CATALOGUE
from tinynas.errors import BoardError
from tinynas.graph import Graph

#: of golden.c beside the vectors themselves, and more
_GOLDEN_FACTS = 1024


def aim_on(board: Board, goal: Goal, graph: Graph) -> Aim:
    """Plans for `goal` in firmware of `graph`, simplified, for `board`: arena and constants fit beside it."""
    around = parts_around(code_table(), board, len(graph.inputs))
    return Aim(
        goal,
        arena=_stretch(board) - (around.stack or 0) - (around.variables or 0),
        constants=board.flash_bytes - _flash_around(board, graph),
        dsp=board.dsp,
        price=price_on(board),
    )


def aim_of_run(request: Mapping[str, Any], board: Board, graph: Graph, goal: Goal | None = None) -> Aim:
    """The same for the network of a run: for its own goal unless told otherwise, within its own budget."""
    own = aim_of(request, board, goal)
    aim = aim_on(board, own.goal, graph)
    return replace(aim, arena=_least(aim.arena, own.arena), constants=_least(aim.constants, own.constants))


def _stretch(board: Board) -> int:
    """Bytes of RAM that firmware has in one piece."""
    try:
        return memory_map(board).ram_bytes
    except BoardError:
        return board.sram_bytes


def _flash_around(board: Board, graph: Graph) -> int:
    """Bytes of flash of firmware with every kernel there is, but for the network's constants."""
    ends = (*graph.inputs, *graph.outputs)
    golden = GOLDEN_VECTORS * sum(graph.tensors[index].size_bytes for index in ends) + _GOLDEN_FACTS
    functions = frozenset(kernel.function for kernel in CATALOGUE)
    network = Network(functions, len(graph.inputs), len(graph.outputs), 0, (golden,))
    linked = linked_flash(code_table(), board, network)
    # what a framework takes nobody knows before it is built
    return linked if linked is not None else most_code_bytes(board) + golden


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
