"""Who tells how long networks take on a board, and what to do where nobody can."""

from __future__ import annotations

from tinynas.board import Board
from tinynas.cost.latency import LatencyModel, latency_model
from tinynas.cost.runtime import EngineRuntime, Runtime
from tinynas.errors import RequestError


def require_latency_model(board: Board, runtime: Runtime) -> LatencyModel:
    """The best model there is of networks under `runtime` on `board`.

    Raises:
        RequestError: there is none.
    """
    if (model := latency_model(board, runtime)) is None:
        raise unknown_times(board, runtime)
    return model


def unknown_times(board: Board, runtime: Runtime) -> RequestError:
    """What to say where times were asked for and nobody can tell them."""
    if not isinstance(runtime, EngineRuntime):
        return RequestError(
            f"how long networks take under the {runtime.name} runtime is not known: leave out --runtime, or "
            "what asks for a time"
        )
    return RequestError(
        f"how long networks take on {board.id} is not known yet: run `tinynas profile --board {board.id}` "
        "first, or leave out what asks for a time"
    )
