"""What each goal would cost and bring, side by side: so that whoever asked for one sees the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tinynas.board import Board
from tinynas.cost import EngineRuntime
from tinynas.cost.latency import latency_model
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import arrange
from tinynas.engine.tables import Tables
from tinynas.graph import Graph


@dataclass(frozen=True, slots=True)
class Offer:
    """A goal's plan in bytes, and how fast it is by models.

    `flash_bytes` are constants, with the engine's code where the board is known. `instructions` are those of
    kernels that there is a choice of (convolutions, dense layers, sums), on a core with DSP. `milliseconds`
    are of one inference, None where there is no model of the board's times.
    """

    goal: Goal
    arena_bytes: int
    flash_bytes: int
    instructions: int
    milliseconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "optimize": self.goal.value,
            "arena_bytes": self.arena_bytes,
            "flash_bytes": self.flash_bytes,
            "modelled_instructions": self.instructions,
            "modelled_ms": None if self.milliseconds is None else round(self.milliseconds, 3),
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
    if board is None:
        arranged = arrange(graph, aim)
        plan = arranged.plan()
        flash = Tables(plan).flash(len(plan.steps)).total
        return Offer(aim.goal, arranged.arena, flash, round(arranged.instructions))
    runtime = EngineRuntime(aim)
    arranged, clock = runtime.arrangement(graph), latency_model(board, runtime)
    return Offer(
        aim.goal,
        arranged.arena,
        runtime.flash(graph, board).total,
        round(arranged.instructions),
        None if clock is None else clock.milliseconds(graph),
    )
