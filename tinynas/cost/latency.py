"""How long one inference of a Graph takes on a board, before anything is built: a sum over its operators."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import NamedTuple, Protocol, TypeAlias

from tinynas.board import Board
from tinynas.cost.calibration import Calibration, shipped
from tinynas.cost.engine_runtime import EngineRuntime
from tinynas.cost.estimates import Runtime
from tinynas.cost.kept import fault, find_kept, kept
from tinynas.cost.prices import OperatorCycles, widest_bytes
from tinynas.cost.work import list_work
from tinynas.engine.alike import Remembered, alike_operators
from tinynas.engine.choosing import choose_kernels
from tinynas.engine.kernels import Kernel
from tinynas.engine.planner import Arrangement
from tinynas.engine.schedule import MOST_STEPS
from tinynas.engine.tasks import Task, for_each, task_of
from tinynas.graph import Graph
from tinynas.graph.outline import Likeness

#: what is said of times that other kernels or another board had, in percent
_STALE, _SCALED = 25, 30


#: operators alike, the C function that runs them, the address of the arena
_Key: TypeAlias = tuple[Likeness, str, int]


class Guessed(NamedTuple):
    """Operators in an arena at an address (`LatencyModel.place`), each by one of `kernels`."""

    operators: Sequence[Likeness]
    kernels: Sequence[Kernel]
    place: int


class LatencyModel(Protocol):
    """Times of networks on the board, and under the runtime, that the model was made for."""

    def __hash__(self) -> int:
        """By identity, or what equal models share."""
        ...

    @property
    def board(self) -> str:
        """The board's id."""
        ...

    @property
    def clock_hz(self) -> int:
        """Cycles of a second: those that a board said which was calibrated here, else its manifest's."""
        ...

    @property
    def label(self) -> str:
        """How the times are known and how far to trust them, as the words that stand beside them."""
        ...

    def milliseconds(self, graph: Graph) -> float:
        """One inference of `graph` as the runtime runs it; its plan, if nobody made it yet, is made.

        Raises:
            ModelError: an operator that the runtime does not run.
        """
        ...

    @property
    def runtime(self) -> EngineRuntime:
        """The runtime."""
        ...

    def place(self, arena: int) -> int:
        """The address of an arena of so many bytes, in whichever memory holds it."""
        ...

    def is_split(self, arena: int) -> bool:
        """Whether a data cache serves a part of such an arena: where in it feature maps lie counts then."""
        ...

    def arranged(self, arrangement: Arrangement, arena: int | None = None) -> float:
        """Milliseconds of an inference of a network that the runtime's engine runs so.

        It is as in an arena of so many bytes, for a part of a network; without, as in its own.
        """
        ...

    def layers(self, graph: Graph) -> tuple[float, ...]:
        """Milliseconds of every operator of ``runtime.runs(graph)``; they add up to `milliseconds`.

        Raises:
            ModelError: an operator that the runtime does not run.
        """
        ...

    def estimate(self, graph: Graph) -> float:
        """The same without a plan: where feature maps lie is only guessed.

        Of thousands of networks of one space a second it is told by `tinynas.spaces.estimates`.

        Raises:
            ModelError: an operator that the runtime does not run.
        """
        ...

    def guesses(self, networks: Sequence[Guessed]) -> list[tuple[float, ...]]:
        """Milliseconds of every operator of many networks, or parts of such, without a plan."""
        ...


def latency_model(board: Board, runtime: Runtime) -> LatencyModel | None:
    """The best model there is of networks under `runtime` on `board`; None where there is none.

    What was measured on such a board goes before what is modelled, and what was made here before what
    tinynas brings; a calibration that was made here and is out of date is left out, and the label says so.
    """
    if not isinstance(runtime, EngineRuntime):
        return None
    remark = ""
    for measured in (True, False):
        if (calibration := find_kept(board.id, measured)) is not None:
            if (why_not := fault(calibration, board, runtime.goal)) is None:
                return CalibratedModel(board, runtime, calibration, _words(calibration), calibration.clock_hz)
            remark = remark or f"; {kept(board.id, measured)} {why_not}"
    if (brought := _shipped(board)) is None:
        return None
    return CalibratedModel(board, runtime, brought, _words(brought, board) + remark, board.clock_hz)


@dataclass(frozen=True, eq=False)
class CalibratedModel:
    """Sums of the times of operators, by a calibration of their kernels."""

    on: Board
    runtime: EngineRuntime
    calibration: Calibration
    label: str
    clock_hz: int
    #: milliseconds of operators that are alike by a kernel, and where the arena lies
    _guesses: Remembered[float] = field(default_factory=Remembered, init=False, repr=False)

    @cached_property
    def _operators(self) -> OperatorCycles:
        return OperatorCycles(self.on, self.calibration)

    @property
    def board(self) -> str:
        """As `LatencyModel.board`."""
        return self.on.id

    def milliseconds(self, graph: Graph) -> float:
        """As `LatencyModel.milliseconds`."""
        return sum(self.layers(graph))

    def place(self, arena: int) -> int:
        """As `LatencyModel.place`."""
        return self._operators.place(arena)

    def is_split(self, arena: int) -> bool:
        """As `LatencyModel.is_split`."""
        return 0 < self._operators.memory(arena).exposed(0, arena) < 1

    def arranged(self, arrangement: Arrangement, arena: int | None = None) -> float:
        """As `LatencyModel.arranged`."""
        return 1e3 * sum(self.cycles(arrangement, arena)) / self.clock_hz

    def layers(self, graph: Graph) -> tuple[float, ...]:
        """As `LatencyModel.layers`."""
        return tuple(1e3 * cycles / self.clock_hz for cycles in self.cycles(self.runtime.arrangement(graph)))

    def cycles(self, arranged: Arrangement, arena: int | None = None) -> list[float]:
        """Of every operator of a network that is arranged so, as in an arena of `arena` bytes."""
        rows, walk = arranged.rows, self.calibration.step_cycles
        works = list_work(arranged, self._operators.memory(arranged.arena if arena is None else arena))
        times = map(self._operators.of, rows.kernels, works)
        return [time + walk * entries for time, entries in zip(times, count_entries(arranged), strict=True)]

    def estimate(self, graph: Graph) -> float:
        """As `LatencyModel.estimate`."""
        simple = self.runtime.prepared(graph)
        kernels = choose_kernels(simple, self.runtime.aim)
        place = self.place(widest_bytes(simple))
        # what it takes does not depend on values
        return math.fsum(self.guesses([Guessed(alike_operators(simple), kernels, place)])[0])

    def guesses(self, networks: Sequence[Guessed]) -> list[tuple[float, ...]]:
        """As `LatencyModel.guesses`."""
        keys = [
            (operators, kernel, place)
            for all_operators, kernels, place in networks
            for operators, kernel in zip(all_operators, kernels, strict=True)
        ]
        found = [self._guesses.get((operators, kernel.function, place)) for operators, kernel, place in keys]
        new = {
            (key[0], key[1].function, key[2]): key[1]
            for key, time in zip(keys, found, strict=True)
            if time is None
        }
        alike: dict[Hashable, list[_Key]] = defaultdict(list)
        for key, kernel in new.items():
            task = task_of(key[0])
            alike[id(kernel), key[2], id(task.window), task.other is None].append(key)
        learned = {}
        for group in alike.values():
            tell = partial(self._guess, kernel=new[group[0]], place=group[0][2])
            for key, (time,) in zip(
                group, for_each([task_of(each) for each, *_ in group], tell), strict=True
            ):
                learned[key] = self._guesses[key] = time
        times = iter(
            learned[operators, kernel.function, place] if time is None else time
            for (operators, kernel, place), time in zip(keys, found, strict=True)
        )
        return [tuple(islice(times, len(kernels))) for _, kernels, _ in networks]

    def _guess(self, task: Task, kernel: Kernel, place: int) -> tuple[float]:
        memory = self._operators.memory_at(place)
        return (1e3 * self._operators.guessed(task, kernel, memory) / self.clock_hz,)


def count_entries(arranged: Arrangement) -> Iterator[int]:
    """Entries of the schedule of every operator: a step each, but all at once in a group of its own."""
    for group in arranged.groups:
        alone = group.end == group.first + 1
        for operator in range(group.first, group.end):
            steps = arranged.rows.programs[operator].steps
            yield -(-steps // MOST_STEPS) if alone else steps


def _words(calibration: Calibration, board: Board | None = None) -> str:
    """How far to trust times of `calibration`, on `board` where that is another."""
    if board is not None and (board.id, board.clock_hz) != (calibration.board, calibration.clock_hz):
        return f"modelled after {calibration.board} by the clock, +-{_SCALED} %"
    if calibration.stale:
        return f"modelled with kernels that have changed since, +-{_STALE} %"
    times = "modelled after what such a board took" if calibration.measured else calibration.times
    return f"{times}; {calibration.errors.words}"


def _shipped(board: Board) -> Calibration | None:
    """The board's own, or that of the same core whose clock is nearest: a user's file may have any name."""
    alike = [each for each in shipped().values() if each.core == board.core]
    return min(
        alike, key=lambda each: (each.board != board.id, abs(each.clock_hz - board.clock_hz)), default=None
    )
