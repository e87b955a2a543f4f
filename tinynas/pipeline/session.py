"""The search under way, as its stages see it."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.cost import find_runtime
from tinynas.data import Dataset, Split, hold_out
from tinynas.pipeline.effort import Effort
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.request import SearchRequest
from tinynas.search import Limits, RunFolder


@dataclass(frozen=True)
class Session:
    """What every stage of one search needs: the request, its run folder, the pictures, who watches."""

    request: SearchRequest
    run: RunFolder
    data: Dataset
    observer: Observer

    @property
    def effort(self) -> Effort:
        """The numbers asked for."""
        return self.request.effort

    def limits(self) -> Limits:
        """What the board can hold."""
        runtime = find_runtime(self.request.runtime)
        return Limits(runtime=runtime, board=self.request.board, budget=self.request.budget)

    def parts(self) -> tuple[Split, Split]:
        """Training pictures, and those held out of them for scoring sub-networks."""
        share = min(self.effort.held_out, self.effort.held_out_most / len(self.data.train))
        return hold_out(self.data.train, share, self.request.seed)

    def timed(self, stage: str, seconds: float) -> None:
        """Add to the record of where time went; a resumed stage adds to what it had."""
        record = self.run.read_json("times.json") if self.run.has("times.json") else {}
        record[stage] = round(record.get(stage, 0.0) + seconds, 1)
        self.run.write_json("times.json", record)
