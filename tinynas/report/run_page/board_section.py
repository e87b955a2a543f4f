"""What boards said of a run's model, from the records of its deployments, old ones too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tinynas.report.memory_table import memory_rows
from tinynas.report.run_page.sections import Deployed, Latency, Layers, Maybe, Missing
from tinynas.search.run_folder import reading

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search was for, and what it says of one inference there."""

    board: str
    optimize: str
    predicted: Latency | None


def deployed_section(name: str, found: Mapping[str, Any], searched: Searched) -> Deployed:
    """The record `found` of one deployment, called `name`, of what was `searched`.

    It may be of another board or another goal than the search: then the prediction is the deployment's own.

    Raises:
        RunError: the record is damaged.
    """
    with reading(f"deployments/{name}.json"):
        return _deployed(name, found, searched)


def _deployed(name: str, found: Mapping[str, Any], searched: Searched) -> Deployed:
    board, times = str(found.get("board", name)), str(found.get("times", "unknown"))
    # older records name no goal
    optimize = str(found.get("optimize", searched.optimize))
    clock = _known(int, found.get("clock_hz")) or None
    return Deployed(
        name=name,
        board=board,
        times=times,
        clock_hz=clock,
        facts=_facts(found),
        measured=_measured(found, times),
        predicted=searched.predicted
        if (board, optimize) == (searched.board, searched.optimize)
        else _predicted(found, board, optimize),
        samples=_known(int, found.get("samples")),
        wrong_samples=_known(int, found.get("wrong_samples")),
        accuracy=_known(float, found.get("accuracy_on_board")),
        memories=tuple(memory_rows(found, sections=False)),
        layers=_layers(found, board, optimize, times, clock),
    )


def _predicted(found: Mapping[str, Any], board: str, optimize: str) -> Latency | None:
    """What `tinynas deploy` said of its plan for that board and goal."""
    told = {goal["optimize"]: goal.get("modelled_ms") for goal in found.get("goals", ())}
    if told.get(optimize) is None:
        return None
    return Latency(float(told[optimize]), f"modelled for {board}, optimized for {optimize}")


def _measured(found: Mapping[str, Any], times: str) -> Latency | None:
    if found.get("latency_ms") is None:
        return None
    return Latency(float(found["latency_ms"]), times, found.get("cycles", {}).get("median"))


def _layers(
    found: Mapping[str, Any], board: str, optimize: str, times: str, clock: int | None
) -> Maybe[Layers]:
    cycles = found.get("cycles_by_operator")
    if not cycles:
        return Missing("The board was not asked for the cycles of each operator.")
    operators = found.get("operators") or [""] * len(cycles)
    return Layers(board, optimize, times, clock, tuple(map(str, operators)), tuple(map(int, cycles)))


def _known(kind: Callable[[Any], _Number], value: Any) -> _Number | None:
    return None if value is None else kind(value)


def _facts(found: Mapping[str, Any]) -> dict[str, str]:
    """How the firmware came about, in words."""
    caches = [name for name, is_on in found.get("caches", {}).items() if is_on]
    told = {
        "kernels": found.get("kernels"),
        "caches": ", ".join(caches) or "none",
        "compiler": found.get("compiler"),
        "build": found.get("firmware_build"),
        "optimized for": found.get("optimize"),
        "code was predicted": found.get("flash_prediction"),
        "runs": found.get("runs"),
        "golden vectors checked": found.get("self_check_vectors"),
        "model SHA-256": found.get("model_sha256"),
    }
    return {name: str(value) for name, value in told.items() if value is not None}
