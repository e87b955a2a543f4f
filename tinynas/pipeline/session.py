"""The search under way, as its stages see it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from tinynas.data import Dataset, Split, hold_out
from tinynas.graph import Graph
from tinynas.pipeline.effort import Effort
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.target import Target, find_target
from tinynas.search import Correction, Limits, RunFolder
from tinynas.search.run_folder import TIMES


@dataclass(frozen=True)
class Session:
    """What every stage of one search needs: the request, its run folder, the pictures, who watches."""

    request: SearchRequest
    run: RunFolder
    data: Dataset
    observer: Observer
    #: the board asked in the middle of the search, where that was requested
    target: Target | None = None
    #: what becomes of modelled times, as far as that board was asked
    correction: Correction = field(default_factory=Correction)

    @property
    def effort(self) -> Effort:
        """The numbers asked for."""
        return self.request.effort

    def corrected(self) -> Session:
        """With what the board said in the run so far."""
        return replace(self, correction=Correction.of(self.run.timings.timings))

    def milliseconds(self, genotype: str, graph: Graph) -> float | None:
        """Of one inference of `graph`, the exported network `genotype`; None where nobody can tell."""
        model = self.request.latency
        return None if model is None else self.correction.milliseconds(genotype, model.milliseconds(graph))

    def told_times(self, genotype: str) -> str | None:
        """How `milliseconds` of the network `genotype` are known, as the words that stand beside them.

        None where nobody can tell them.
        """
        request, measured = self.request, self.correction.measured
        if (model := request.latency) is None or not measured:
            return None if model is None else model.label
        if genotype in measured:
            board = find_target(None, virtual=request.measure_on == "virtual")
            return f"{board.times(request.board)}; it ran there during the search"
        return f"{model.label}; corrected by what the board took during the search"

    def limits(self) -> Limits:
        """What the board can hold, and run in time."""
        request = self.request
        return Limits(
            runtime=request.rules, board=request.board, budget=request.limits, latency=request.latency
        )

    def parts(self) -> tuple[Split, Split]:
        """Training pictures, and those held out of them for scoring sub-networks."""
        share = min(self.effort.held_out, self.effort.held_out_most / len(self.data.train))
        return hold_out(self.data.train, share, self.request.seed)

    def stopwatch(self, stage: str) -> Stopwatch:
        """Measures a stage into the run's record of where time went, from now."""
        return Stopwatch(self.run, stage)


class Stopwatch:
    """Adds seconds to a stage's record lap by lap, so that a kill loses no more than the last lap."""

    def __init__(self, run: RunFolder, stage: str) -> None:
        self._run, self._stage, self._since = run, stage, time.monotonic()

    def lap(self, least: float = 0.0) -> None:
        """Record the seconds since the last lap, if there are at least so many."""
        now = time.monotonic()
        if now - self._since < least:
            return
        record = self._run.read_json(TIMES) if self._run.has(TIMES) else {}
        record[self._stage] = round(record.get(self._stage, 0.0) + now - self._since, 1)
        self._run.write_json(TIMES, record)
        self._since = now
