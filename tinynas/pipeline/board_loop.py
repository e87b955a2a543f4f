"""Hardware in the loop: every few generations the best networks are run on the board, and times corrected.

A network's time does not depend on what it learned, so the firmware measured has made-up weights. What came
is kept in the run before it is used: a run that was killed finds it there and decides as it did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tinynas.errors import DeviceError, LinkError, PortError
from tinynas.networks import Genotype, parse_genotype
from tinynas.pipeline.observer import Observer
from tinynas.search import Candidate, Limits, Order, Timing, correction
from tinynas.search.timings import TimingJournal

_T = TypeVar("_T")

#: networks measured at a time: of fewer the median would not leave out an odd one
NETWORKS = 3


@dataclass(frozen=True)
class Patience:
    """How long a board that is gone is waited for, in seconds, and how often it is tried."""

    most: float = 600.0
    pause: float = 5.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait_for(self, work: Callable[[], _T], watch: Observer) -> _T:
        """What `work` gives once the board is there.

        Raises:
            DeviceError: it did not come back in time; or as `work`, but for a board that is gone.
        """
        since: float | None = None
        while True:
            try:
                found = work()
            except (LinkError, PortError) as gone:
                within = f"within {self.most / 60:.0f} minutes"
                if since is None:
                    since = self.now()
                    watch.note(
                        f"paused, for the board is gone ({gone}): connect it {within} and the search goes "
                        "on; Ctrl-C ends it, and the same command goes on later"
                    )
                if self.now() - since >= self.most:
                    raise DeviceError(
                        f"the board did not come back {within} ({gone}): nothing is lost, the same command "
                        "goes on from here"
                    ) from gone
                self.sleep(self.pause)
            else:
                if since is not None:
                    watch.note("the board is back: the search goes on")
                return found


@dataclass(frozen=True)
class BoardLoop:
    """The review of a search (see `tinynas.search.evaluation.Review`) that asks a board.

    `measure` gives milliseconds of a network on the board; it may raise LinkError and PortError while that is
    gone. After every `every` generations the first `networks` by `order` that fit and are new are measured.
    """

    measure: Callable[[Genotype], float]
    limits: Limits
    journal: TimingJournal
    watch: Observer
    every: int
    order: Order
    networks: int = NETWORKS
    patience: Patience = field(default_factory=Patience)

    def __call__(self, generation: int, candidates: Sequence[Candidate[Any]]) -> float:
        """The correction of times after `generation`."""
        if (generation + 1) % self.every == 0:
            for genotype in self._chosen(generation, candidates):
                if self.journal.find(generation, genotype) is None:
                    self._measure(generation, genotype, self._correction(generation - 1))
        return self._correction(generation)

    def _correction(self, generation: int) -> float:
        """As it was after `generation`."""
        return correction(t for t in self.journal.timings if t.generation <= generation)

    def _chosen(self, generation: int, candidates: Sequence[Candidate[Any]]) -> list[str]:
        before = {t.genotype for t in self.journal.timings if t.generation < generation}
        new = [c.genotype for c in self.order(candidates) if c.fits and c.genotype not in before]
        return new[: self.networks]

    def _measure(self, generation: int, text: str, factor: float) -> None:
        genotype = parse_genotype(text)
        modelled = self.limits.footprint(genotype).latency_ms
        if modelled is None:  # a request that measures has a model of times
            raise ValueError("nothing to correct: the limits know no times")
        measured = self.patience.wait_for(lambda: self.measure(genotype), self.watch)
        timing = Timing(generation, text, modelled, factor * modelled, measured)
        self.journal.append(timing)
        self.watch.note(
            f"measured {timing.measured_ms:.3f} ms where {timing.corrected_ms:.3f} ms were predicted "
            f"({timing.error:+.1%})"
        )
