"""A whole search on real digits, as small as it can be, and what watches it."""

from __future__ import annotations

from typing import Any

from tinynas.board import load_board, make_budget
from tinynas.data import Dataset, Split
from tinynas.pipeline.effort import SHARED_WEIGHTS
from tinynas.pipeline.request import SearchRequest

BOARD = load_board("stm32f746")
NUMBERS = {
    "largest_epochs": 0.1,
    "supernet_epochs": 0.1,
    "finetune_epochs": 0.2,
    "population": 4,
    "iterations": 1,
    "parents": 2,
    "crossover": 1,
    "mutation": 1,
    "samples": 100,
}
REQUEST = SearchRequest(
    board=BOARD,
    budget=make_budget(BOARD, "8k", "72k"),
    runtime="engine",
    data="digits",
    data_dir=None,
    effort_name="quick",
    effort=SHARED_WEIGHTS.make("quick", NUMBERS),
    seed=0,
)


class Guard:
    """Watches a search: reading the test pictures is an error until the export begins."""

    def __init__(self) -> None:
        self.open = False
        self.notes: list[str] = []
        self.stages: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, stage: str, total: int) -> None:
        self.stages.append(stage)
        self.open |= stage == "export and verification"

    def advance(self, done: int, text: str) -> None:
        pass

    def end(self) -> None:
        pass


class GuardedData:
    """A data set that tells when its test half is read too early."""

    def __init__(self, data: Dataset, guard: Guard) -> None:
        self._data, self._guard = data, guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    @property
    def test(self) -> Split:
        assert self._guard.open, "the test set was read before the end"
        return self._data.test
