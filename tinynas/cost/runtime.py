"""The runtimes there are, by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from tinynas.board import Board, Budget
from tinynas.cost.engine_flash import most_code_bytes
from tinynas.cost.engine_runtime import EngineRuntime
from tinynas.cost.estimates import FlashEstimate, MemoryRule, Runtime, SramEstimate
from tinynas.cost.live_runtime import LiveRuntime
from tinynas.cost.prices import price_on
from tinynas.cost.tflm_runtime import TflmRuntime
from tinynas.engine.goals import Aim, Goal
from tinynas.errors import RequestError

__all__ = [
    "EngineRuntime",
    "FlashEstimate",
    "LiveRuntime",
    "MemoryRule",
    "Runtime",
    "SramEstimate",
    "TflmRuntime",
    "aim_of",
    "aim_within",
    "find_runtime",
    "runtimes",
]

_RUNTIMES: tuple[Runtime, ...] = (EngineRuntime(), TflmRuntime(), LiveRuntime())


def runtimes() -> tuple[Runtime, ...]:
    """Every runtime there is."""
    return _RUNTIMES


def aim_within(goal: Goal, budget: Budget, board: Board) -> Aim:
    """Plans for `goal` within `budget`: they may fill it to be faster, and fit whenever any plan does.

    Of flash they leave what all code of the engine takes on `board`, though they may need less. Kernels are
    chosen by their time on `board`, where that is known.
    """
    constants = budget.flash_bytes - most_code_bytes(board)
    return Aim(goal, budget.sram_bytes, constants, board.dsp, price_on(board))


def aim_of(request: Mapping[str, Any], board: Board, goal: Goal | None = None) -> Aim:
    """The aim of a run on `board` by what its folder says of the request; for `goal` where that is given."""
    own = goal or Goal(request.get("optimize", Goal.RAM.value))
    if "sram_bytes" not in request or "flash_bytes" not in request:
        return Aim(own, dsp=board.dsp, price=price_on(board))
    return aim_within(own, Budget(int(request["sram_bytes"]), int(request["flash_bytes"])), board)


def find_runtime(name: str, aim: Aim | None = None) -> Runtime:
    """The runtime of that name, whose plans are made for `aim`, by default the smallest ones.

    Raises:
        RequestError: there is none; the nearest is suggested. Or it plans for no goal.
    """
    known = {runtime.name: runtime for runtime in _RUNTIMES}
    if name.lower() in known:
        found = known[name.lower()]
        if aim is None or aim.goal is Goal.RAM:
            return found
        if isinstance(found, EngineRuntime):
            return EngineRuntime(aim)
        raise RequestError(
            f"--optimize {aim.goal.value} is for the engine's plans: leave it out with --runtime {found.name}"
        )
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the runtimes are {', '.join(known)}"
    raise RequestError(f"'{name}' is not a runtime: {hint}")
