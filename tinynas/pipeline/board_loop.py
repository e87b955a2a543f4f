"""Hardware in the loop: every few generations the best networks are run on the board, and times corrected.

A network's time does not depend on what it learned, so the firmware measured has made-up weights. What came
is kept in the run before it is used: a run that was killed finds it there and decides as it did.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from tinynas.engine.planner import arrange
from tinynas.errors import DeviceError, LinkError, PortError, RequestError
from tinynas.graph.passes import simplify
from tinynas.graph.typical import with_typical_constants
from tinynas.networks import Genotype, build_graph, parse_genotype
from tinynas.pipeline.bench import build_trial
from tinynas.pipeline.observer import Observer
from tinynas.pipeline.session import Session
from tinynas.pipeline.strategies import looked_at_every, order_of
from tinynas.search import Candidate, Correction, Limits, Order, Strategy, Timing
from tinynas.search.timings import TimingJournal
from tinynas.units import format_milliseconds

_T = TypeVar("_T")

#: folder of the run where firmware that is measured in the middle of the search is built
TRIED = "firmware-measured"

#: where a sentence goes on with what to do: not within brackets
_REMEDY = re.compile(r": (?![^(]*\))")

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
                    # what to do about it is said here: the board alone is missing, no command to repeat
                    what = _REMEDY.split(str(gone), maxsplit=1)[0]
                    watch.note(
                        f"paused: {what}; connect the board {within} and the search goes on; Ctrl-C ends it, "
                        "and the same command goes on later"
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


class BoardLoop:
    """The `Review` of a search that asks a board.

    `prepare` makes firmware of a network, and gives what asks the board for its milliseconds; that may raise
    LinkError and PortError while the board is gone. After every `every` generations the first `networks` by
    `order` that fit and are new are measured, and at the end the winner, if it was not.
    """

    def __init__(
        self,
        prepare: Callable[[Genotype], Callable[[], float]],
        limits: Limits,
        journal: TimingJournal,
        watch: Observer,
        *,
        every: int,
        order: Order,
        networks: int = NETWORKS,
        patience: Patience | None = None,
    ) -> None:
        self._prepare, self._limits, self._journal, self._watch = prepare, limits, journal, watch
        self._every, self._order, self._networks = every, order, networks
        self._patience = patience or Patience()
        # what the search knows at this point; the journal of a run that goes on has more
        self._known: list[Timing] = []
        self._generation = 0

    def after(self, generation: int, candidates: Sequence[Candidate[Any]]) -> Correction:
        """As `Review.after`."""
        self._generation = generation
        known = Correction.of(self._known)
        if (generation + 1) % self._every == 0:
            fresh = (
                c.genotype for c in self._order(candidates) if c.fits and c.genotype not in known.measured
            )
            self._known += [self._timing(text, known) for text in islice(fresh, self._networks)]
        return Correction.of(self._known)

    def confirm(self, best: Candidate[Any]) -> Correction:
        """As `Review.confirm`."""
        known = Correction.of(self._known)
        if best.genotype not in known.measured:
            self._known.append(self._timing(best.genotype, known))
        return Correction.of(self._known)

    def _timing(self, text: str, known: Correction) -> Timing:
        """From the journal if it is there."""
        if (made := self._journal.find(self._generation, text)) is not None:
            return made
        genotype = parse_genotype(text)
        modelled = self._limits.footprint(genotype).latency_ms
        if modelled is None:  # a request that measures has a model of times
            raise ValueError("nothing to correct: the limits know no times")
        measured = self._patience.wait_for(self._prepare(genotype), self._watch)
        predicted = known.milliseconds(text, modelled)
        timing = Timing(self._generation, text, modelled, predicted, measured)
        self._journal.append(timing)
        self._watch.note(
            f"measured {format_milliseconds(measured)} where {format_milliseconds(predicted)} were predicted "
            f"({timing.error:+.1%})"
        )
        return timing


def board_review(session: Session, limits: Limits, strategy: Strategy) -> BoardLoop | None:
    """The board in the loop of a search by `strategy`, if the request of `session` has one.

    Raises:
        RequestError: the request has, and no board was named.
    """
    request, target = session.request, session.target
    if not request.measure_every:
        return None
    if target is None:
        raise RequestError(f"this search asks a board in its middle: say which with --{request.measure_on}")

    def prepare(genotype: Genotype) -> Callable[[], float]:
        graph = with_typical_constants(simplify(build_graph(genotype)))
        trial = build_trial(arrange(graph, request.aim), request.board, session.run.path / TRIED)
        return lambda: trial.run_on(target, layers=False).milliseconds

    return BoardLoop(
        prepare,
        limits,
        session.run.timings,
        session.observer,
        every=looked_at_every(request.measure_every, strategy, request.effort),
        order=order_of(request.strategy),
    )
