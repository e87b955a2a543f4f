"""The search itself: ask a strategy, score what is new, write it down; the same decisions every time.

Each generation draws from a generator seeded by (seed, generation), and a score found in the journal is
used instead of asking again. So a run that was killed repeats its decisions without repeating its work,
and goes on to the winner it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeAlias

import numpy as np

from tinynas.errors import VerificationError
from tinynas.search.candidate import Candidate, is_accuracy
from tinynas.search.ladder import Ladder, OneRung, Order, better_half, most_scores
from tinynas.search.limits import Limits
from tinynas.search.objective import Objective, ranked
from tinynas.search.pool import Pool, Proposal
from tinynas.search.rating import Rating
from tinynas.search.space_protocol import ChoiceT, Evaluator, Space
from tinynas.search.strategy import Strategy, require_at_least
from tinynas.search.timings import Correction


class Journal(Protocol):
    """Where scores are kept beyond the life of the process."""

    def scores(self) -> Mapping[tuple[str, int], float]:
        """Accuracy by genotype text and steps trained of everything scored earlier."""
        ...

    def append(self, candidate: Candidate[Any]) -> None:
        """Keeps `candidate`; when this returns, it survives a kill."""
        ...


@dataclass(frozen=True, slots=True)
class Progress(Generic[ChoiceT]):
    """The state after one more score, `done` of at most `total`; `reused`: it was known."""

    candidate: Candidate[ChoiceT]
    best: Candidate[ChoiceT]
    done: int
    total: int
    reused: bool


@dataclass(frozen=True, slots=True)
class Outcome(Generic[ChoiceT]):
    """The winner, and every candidate in the order of scoring, as it was scored last."""

    best: Candidate[ChoiceT]
    candidates: tuple[Candidate[ChoiceT], ...]


#: told of every candidate, so that whoever calls can show a bar
Observer: TypeAlias = Callable[[Progress[ChoiceT]], None]


class Review(Protocol):
    """Corrects modelled times in the middle of a search, and of its winner.

    What it says must depend on what it is told, in the order that it is told, and on the run's folder alone.
    """

    def after(self, generation: int, candidates: Sequence[Candidate[Any]]) -> Correction:
        """The correction from now on: `generation` is over, `candidates` are all so far."""
        ...

    def confirm(self, best: Candidate[Any]) -> Correction:
        """The correction from now on: the search is over, and `best` would be its winner."""
        ...


def search(
    space: Space[ChoiceT],
    strategy: Strategy,
    limits: Limits,
    evaluate: Evaluator[ChoiceT],
    *,
    seed: int,
    journal: Journal | None = None,
    seeds: Sequence[ChoiceT] = (),
    objective: Objective | None = None,
    on_candidate: Observer[ChoiceT] | None = None,
) -> Outcome[ChoiceT]:
    """`search_by_rungs` with networks that `evaluate` scores as they are."""
    return search_by_rungs(
        space,
        strategy,
        limits,
        OneRung(evaluate),
        seed=seed,
        journal=journal,
        seeds=seeds,
        objective=objective,
        on_candidate=on_candidate,
    )


def search_by_rungs(
    space: Space[ChoiceT],
    strategy: Strategy,
    limits: Limits,
    ladder: Ladder[ChoiceT],
    *,
    seed: int,
    journal: Journal | None = None,
    seeds: Sequence[ChoiceT] = (),
    objective: Objective | None = None,
    order: Order = ranked,
    review: Review | None = None,
    on_candidate: Observer[ChoiceT] | None = None,
) -> Outcome[ChoiceT]:
    """The best network of `space` within `limits` that `strategy` finds, by accuracy or `objective`.

    Each generation climbs the `ladder`: all its networks are scored at the first rung, the better half by
    `order` at the next. No network is scored twice at a rung, and none outside the limits at all. `seeds` are
    considered before anything drawn at random: give the smallest network of the space, and a budget that
    hardly anything fits is still used, or refused with the true smallest need. An `objective` needs `limits`
    that know times. `review` may correct those after each generation and of the winner: who does not fit any
    more is worth less than all who do. Ends early when a generation finds nothing new.

    Raises:
        RequestError: nothing found fits the limits (with the nearest need), or the seed is negative.
        VerificationError: the ladder gave something that is no accuracy.
        RunError: the journal cannot be written.
    """
    require_at_least(0, seed=seed)
    total = most_scores(strategy.evaluations, strategy.generations, len(ladder.rungs))
    climb = _Climb(limits, ladder, journal, total, objective, order, on_candidate)
    for generation in range(strategy.generations):
        pool = Pool(
            space=space,
            limits=limits,
            rng=np.random.default_rng([seed, generation]),
            seen=climb.scored,
            seeds=seeds if generation == 0 else (),
        )
        proposals = strategy.propose(generation, tuple(climb.scored.values()), pool)
        if not proposals:
            break
        climb.generation(generation, proposals)
        if review is not None:
            climb.correct(review.after(generation, tuple(climb.scored.values())))
    if review is not None:
        climb.confirm(review)
    if climb.best is None or not climb.best.fits:
        raise limits.no_room()
    return Outcome(climb.best, tuple(climb.scored.values()))


class _Climb(Generic[ChoiceT]):
    """The networks of a search on their ladder: who stands how high, and who is best."""

    def __init__(
        self,
        limits: Limits,
        ladder: Ladder[ChoiceT],
        journal: Journal | None,
        total: int,
        objective: Objective | None,
        order: Order,
        on_candidate: Observer[ChoiceT] | None,
    ) -> None:
        self._limits, self._ladder, self._journal = limits, ladder, journal
        self._rating = Rating(limits.budget, objective)
        self._known = journal.scores() if journal else {}
        self._order, self._total, self._done, self._tell = order, total, 0, on_candidate
        self._bare: dict[str, Candidate[ChoiceT]] = {}
        #: every network as it was scored last and is worth now, by genotype text
        self.scored: dict[str, Candidate[ChoiceT]] = {}
        self.best: Candidate[ChoiceT] | None = None

    def generation(self, number: int, proposals: Sequence[Proposal[ChoiceT]]) -> None:
        """Score the networks of a generation rung by rung; only the best of all may go on after it."""
        left, champion = {str(proposal.genotype): proposal for proposal in proposals}, self.best
        *lower, top = self._ladder.rungs
        for steps in lower:
            scores = [self._score(number, proposal, steps) for proposal in left.values()]
            beaten = left.keys() - better_half(scores, self._order)
            left = {text: proposal for text, proposal in left.items() if text not in beaten}
            self._drop(beaten)
        for proposal in left.values():
            self._score(number, proposal, top)
        finalists = {*left, champion.genotype} if champion else set(left)
        self._drop(finalists - {self.best.genotype if self.best else ""})

    def correct(self, correction: Correction) -> None:
        """Correct modelled times so from now on, and rate anew who was scored."""
        if correction == self._rating.correction:
            return
        self._limits.correct(correction)
        self._rating = replace(self._rating, correction=correction)
        self.scored = {text: self._rating.rate(bare) for text, bare in self._bare.items()}
        self.best = next(iter(ranked(self.scored.values())), None)

    def confirm(self, review: Review) -> None:
        """Have the best reviewed until it stays the best."""
        confirmed: set[str] = set()
        while self.best is not None and self.best.fits and self.best.genotype not in confirmed:
            confirmed.add(self.best.genotype)
            self.correct(review.confirm(self.best))

    def _drop(self, genotypes: Iterable[str]) -> None:
        for text in genotypes:
            self._ladder.drop(text)

    def _score(self, generation: int, proposal: Proposal[ChoiceT], steps: int) -> Candidate[ChoiceT]:
        text, choice = str(proposal.genotype), proposal.choice
        reused = (text, steps) in self._known
        accuracy = self._known[text, steps] if reused else self._asked(proposal, steps)
        footprint = self._limits.footprint(proposal.genotype)
        bare = Candidate(text, choice, accuracy, footprint, generation, proposal.origin, steps)
        if self._journal and not reused:
            self._journal.append(bare)
        self._bare[text] = bare
        candidate = self.scored[text] = self._rating.rate(bare)
        self.best = ranked([candidate, self.best])[0] if self.best else candidate
        self._done += 1
        if self._tell:
            self._tell(Progress(candidate, self.best, self._done, self._total, reused))
        return candidate

    def _asked(self, proposal: Proposal[ChoiceT], steps: int) -> float:
        accuracy = float(self._ladder.accuracy(proposal.choice, proposal.genotype, steps))
        if not is_accuracy(accuracy):
            raise VerificationError(
                f"the accuracy of '{proposal.genotype}' came out as {accuracy}: training diverged, so try "
                "another seed"
            )
        return accuracy
