"""The runtimes there are, by name."""

from __future__ import annotations

import difflib

from tinynas.cost.engine_runtime import EngineRuntime
from tinynas.cost.estimates import FlashEstimate, MemoryRule, Runtime, SramEstimate
from tinynas.cost.live_runtime import LiveRuntime
from tinynas.cost.tflm_runtime import TflmRuntime
from tinynas.errors import RequestError

__all__ = [
    "EngineRuntime",
    "FlashEstimate",
    "LiveRuntime",
    "MemoryRule",
    "Runtime",
    "SramEstimate",
    "TflmRuntime",
    "find_runtime",
    "runtimes",
]

_RUNTIMES: tuple[Runtime, ...] = (EngineRuntime(), TflmRuntime(), LiveRuntime())


def runtimes() -> tuple[Runtime, ...]:
    """Every runtime there is."""
    return _RUNTIMES


def find_runtime(name: str) -> Runtime:
    """The runtime of that name.

    Raises:
        RequestError: there is none; the nearest is suggested.
    """
    known = {runtime.name: runtime for runtime in _RUNTIMES}
    if name.lower() in known:
        return known[name.lower()]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the runtimes are {', '.join(known)}"
    raise RequestError(f"'{name}' is not a runtime: {hint}")
