"""The search itself: ask a strategy, score what is new, write it down; the same decisions every time.

Each generation draws from a generator seeded by (seed, generation), and a score found in the journal is
used instead of asking again. So a run that was killed repeats its decisions without repeating its work,
and goes on to the winner it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias

import numpy as np

from tinynas.errors import VerificationError
from tinynas.networks import Genotype
from tinynas.search.candidate import Candidate, is_accuracy
from tinynas.search.limits import Limits
from tinynas.search.objective import ranked
from tinynas.search.pool import Pool
from tinynas.search.space_protocol import ChoiceT, Evaluator, Space
from tinynas.search.strategy import Strategy, require_at_least


class Journal(Protocol):
    """Where scores are kept beyond the life of the process."""

    def scores(self) -> Mapping[str, float]:
        """Accuracy by genotype text of everything scored earlier."""
        ...

    def append(self, candidate: Candidate[Any]) -> None:
        """Keeps `candidate`; when this returns, it survives a kill."""
        ...


@dataclass(frozen=True, slots=True)
class Progress(Generic[ChoiceT]):
    """The state after one more network, `done` of at most `total`; `reused`: its score was known."""

    candidate: Candidate[ChoiceT]
    best: Candidate[ChoiceT]
    done: int
    total: int
    reused: bool


@dataclass(frozen=True, slots=True)
class Outcome(Generic[ChoiceT]):
    """The winner, and every candidate in the order of scoring."""

    best: Candidate[ChoiceT]
    candidates: tuple[Candidate[ChoiceT], ...]


#: told of every candidate, so that whoever calls can show a bar
Observer: TypeAlias = Callable[[Progress[ChoiceT]], None]


def search(
    space: Space[ChoiceT],
    strategy: Strategy,
    limits: Limits,
    evaluate: Evaluator[ChoiceT],
    *,
    seed: int,
    journal: Journal | None = None,
    seeds: Sequence[ChoiceT] = (),
    on_candidate: Observer[ChoiceT] | None = None,
) -> Outcome[ChoiceT]:
    """The most accurate network of `space` within `limits` that `strategy` finds.

    No network is scored twice, and none outside the limits at all. `seeds` are considered before anything
    drawn at random: give the smallest network of the space, and a budget that hardly anything fits is
    still used, or refused with the true smallest need. Ends early when a generation finds nothing new.

    Raises:
        RequestError: nothing found fits the limits (with the nearest need), or the seed is negative.
        VerificationError: `evaluate` gave something that is no accuracy.
        RunError: the journal cannot be written.
    """
    require_at_least(0, seed=seed)
    known = journal.scores() if journal else {}
    scored: dict[str, Candidate[ChoiceT]] = {}
    best: Candidate[ChoiceT] | None = None
    for generation in range(strategy.generations):
        pool = Pool(
            space=space,
            limits=limits,
            rng=np.random.default_rng([seed, generation]),
            seen=scored,
            seeds=seeds if generation == 0 else (),
        )
        proposals = strategy.propose(generation, tuple(scored.values()), pool)
        if not proposals:
            break
        for proposal in proposals:
            text = str(proposal.genotype)
            reused = text in known
            accuracy = known[text] if reused else _score(evaluate, proposal.choice, proposal.genotype)
            footprint = limits.footprint(proposal.genotype)
            candidate = Candidate(text, proposal.choice, accuracy, footprint, generation, proposal.origin)
            if journal and not reused:
                journal.append(candidate)
            scored[text] = candidate
            best = ranked([candidate, best])[0] if best else candidate
            if on_candidate:
                on_candidate(Progress(candidate, best, len(scored), strategy.evaluations, reused))
    if best is None:
        raise limits.no_room()
    return Outcome(best, tuple(scored.values()))


def _score(evaluate: Evaluator[ChoiceT], choice: ChoiceT, genotype: Genotype) -> float:
    accuracy = float(evaluate(choice, genotype))
    if not is_accuracy(accuracy):
        raise VerificationError(
            f"the accuracy of '{genotype}' came out as {accuracy}: training diverged, so try another seed"
        )
    return accuracy
