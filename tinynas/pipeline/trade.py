"""What each goal would cost and bring, side by side: so that whoever asked for one sees the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tinynas.board import Board
from tinynas.cost import count
from tinynas.cost.engine_flash import plan_flash
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import Arrangement, arrange
from tinynas.engine.tables import Tables
from tinynas.graph import Graph


@dataclass(frozen=True, slots=True)
class Offer:
    """A goal's plan in bytes, and its modelled instructions on a core with DSP.

    `flash_bytes` are constants, with the engine's code where the board is known. `instructions` are those of
    kernels that there is a choice of: convolutions, dense layers, sums.
    """

    goal: Goal
    arena_bytes: int
    flash_bytes: int
    instructions: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "optimize": self.goal.value,
            "arena_bytes": self.arena_bytes,
            "flash_bytes": self.flash_bytes,
            "modelled_instructions": self.instructions,
        }


def all_offers(graph: Graph, aim: Aim, board: Board | None = None) -> tuple[Offer, ...]:
    """One for every goal, for `graph`, simplified and with weights, within the limits of `aim`.

    Raises:
        ModelError: the network cannot be planned or packed.
    """
    return tuple(_offer(graph, replace(aim, goal=goal), board) for goal in Goal)


def offer_for(goal: Goal, offers: Iterable[Offer]) -> Offer:
    """The one for `goal`."""
    return next(offer for offer in offers if offer.goal is goal)


def _offer(graph: Graph, aim: Aim, board: Board | None) -> Offer:
    arranged = arrange(graph, aim)
    return Offer(aim.goal, arranged.arena, _flash_bytes(arranged, board), round(arranged.instructions))


def _flash_bytes(arranged: Arrangement, board: Board | None) -> int:
    plan = arranged.plan()
    if board is None:
        return Tables(plan).flash(len(plan.steps)).total
    return plan_flash(plan, count(plan.graph), board).total
