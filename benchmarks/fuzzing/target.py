"""What is demanded of any bytes: one clear ModelError, or a plan that is proven and written as C."""

from __future__ import annotations

import hashlib
import re
import resource
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from tinynas.engine.checker import check_plan
from tinynas.engine.emit import render
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.plan import Plan
from tinynas.engine.planner import plan_network
from tinynas.engine.streaming import row_graph
from tinynas.errors import ModelError
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes

NAME = "model.tflite"
#: the longest a file under a megabyte may take, in seconds of this process's time
PATIENCE = 10.0
_CHECKER_PATIENCE = 60.0
#: a plan that reads more bytes than this is not replayed: a whole megabyte for each of a thousand rows
_MOST_REPLAYED = 10**9
#: address space of the fuzzed process, in bytes; what a hostile shape asks for comes on top of libraries
ADDRESS_SPACE = 4 * 2**30
#: a sentence is no longer
_LONGEST = 600
_ROOT = str(Path(__file__).resolve().parents[2])


class Hang(BaseException):
    """Time is up; no `except Exception` on the way catches it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """`graph` as read, and the plans of its two compilations: with borders dropped, and with them kept."""

    graph: Graph
    plans: tuple[Plan, Plan]


@dataclass(frozen=True, slots=True)
class Refused:
    """`kind` is the message without its numbers and names."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A defect: `kind` tells it from others."""

    kind: str
    report: str


def examine(data: bytes) -> Accepted | Refused | Finding:
    """Compile `data` as `tinynas compile` does, both ways, and judge what comes of it."""
    signal.signal(signal.SIGPROF, _ring)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        return _compiled(data)
    except ModelError as error:
        return _judged(error)
    except (Exception, Hang) as error:
        return Finding(_kind_of(error), traceback.format_exc(limit=-30))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def limit_memory() -> None:
    """From here on a hostile shape that is believed ends in a MemoryError."""
    # the soft limit alone, which the oracle's processes lift for themselves
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.RLIM_INFINITY))


def peak_memory() -> int:
    """The most memory this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def name_of(data: bytes) -> str:
    """A file name for an input."""
    return hashlib.sha256(data).hexdigest()[:16]


def _compiled(data: bytes) -> Accepted:
    graph, goal = graph_from_bytes(data, NAME), goal_of(data)
    kept = _plan(simplify(graph, keep_float_io=True), goal)
    simple = simplify(graph)
    has_borders = simple.inputs != kept.graph.inputs or simple.outputs != kept.graph.outputs
    return Accepted(graph, (_plan(simple, goal) if has_borders else kept, kept))


def goal_of(data: bytes) -> Goal:
    """What an input is planned for: any goal, and the same one whenever it comes again."""
    goals = tuple(Goal)
    return goals[hashlib.sha256(data).digest()[0] % len(goals)]


def _plan(graph: Graph, goal: Goal) -> Plan:
    plan = plan_network(graph, Aim(goal))
    render(plan, "model")
    if _replayed_bytes(graph) <= _MOST_REPLAYED:
        # no part of compiling, and slow
        signal.setitimer(signal.ITIMER_PROF, _CHECKER_PATIENCE)
        check_plan(plan)
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    return plan


def _replayed_bytes(graph: Graph) -> int:
    """What all steps of all operators read together, in bytes."""
    rows = row_graph(graph)
    return sum(
        int(np.maximum(reading.highs - reading.lows + 1, 0).sum()) * rows.shapes[reading.tensor].row_bytes
        for program in rows.programs
        for reading in program.readings
    )


def _ring(number: int, frame: FrameType | None) -> None:
    raise Hang("time is up")


def _judged(error: ModelError) -> Refused | Finding:
    """A message is one printable sentence that names the file."""
    message = str(error)
    if NAME not in message or not message.isprintable() or len(message) > _LONGEST:
        report = f"{message!r}\n{traceback.format_exc(limit=-8)}"
        return Finding(f"unclear: {_plain(message)[:80]}", report)
    return Refused(_plain(message), message)


def _plain(message: str) -> str:
    text = re.sub(r"tensor -?\d+ \([^)]*\)|of t\d+\b", "tensor", message.replace(NAME, "FILE"))
    text = re.sub(r"[\[(][-\d, ]*[\])]|-?\d[\d,.e+]*", "#", text)
    return text[:160]


def _kind_of(error: BaseException) -> str:
    """The exception and the deepest line of ours."""
    trace = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in trace if frame.filename.startswith(f"{_ROOT}/tinynas")]
    if isinstance(error, Hang):
        # where it is interrupted is chance; where it began is not
        frames = frames[:2]
    where = f"{frames[-1].filename.removeprefix(_ROOT + '/')}:{frames[-1].lineno}" if frames else "outside"
    return f"{type(error).__name__} at {where}"
