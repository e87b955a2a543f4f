"""Stage 2 in a run: the strategy's search among networks that fit, scored as their family is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tinynas.errors import VerificationError
from tinynas.networks import parse_genotype
from tinynas.pipeline.board_loop import board_review
from tinynas.pipeline.file_need import need_of_file
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.scoring import Scorers
from tinynas.pipeline.session import Session
from tinynas.pipeline.strategies import make_strategy, order_of
from tinynas.search import Candidate, Progress, RunSummary, Strategy, ranked, read_run, search_by_rungs
from tinynas.search.ladder import most_scores
from tinynas.search.objective import find_objective
from tinynas.search.run_folder import CHOSEN, FRONT
from tinynas.spaces import DesignSpace

#: seconds between two laps of the stopwatch at least
_LAP = 5.0


def evolve(session: Session, space: DesignSpace[Any], scorers: Scorers) -> Candidate[Any]:
    """The most accurate satisfying network the strategy finds."""
    strategy, bar = strategy_of(session.request), _Bar(session)
    ladder = scorers.ladder(bar.tell)
    scores = most_scores(strategy.evaluations, strategy.generations, len(ladder.rungs))
    limits, order = session.limits(), order_of(session.request.strategy)
    session.observer.begin(f"{session.request.strategy} search", scores)
    outcome = search_by_rungs(
        space,
        strategy,
        limits,
        ladder,
        seed=session.request.seed,
        journal=session.run.journal,
        seeds=[space.smallest()],
        order=order,
        review=board_review(session, limits, strategy),
        objective=find_objective(session.request.objective, session.request.budget.latency_ms),
        on_candidate=bar.scored,
    )
    bar.end()
    winner = best_as_file(session.corrected(), ranked(c for c in outcome.candidates if c.fits))
    session.run.write_json(
        CHOSEN,
        {
            "genotype": winner.genotype,
            session.request.accuracy_key: winner.accuracy,
            "generation": winner.generation,
            "origin": winner.origin.value,
            "candidates": len(outcome.candidates),
        },
    )
    session.run.write_json(FRONT, _front(session.request, read_run(session.run.path)))
    return winner


class _Bar:
    """What whoever watches is told of a search."""

    def __init__(self, session: Session) -> None:
        self._watch, self._stopwatch = session.observer, session.stopwatch("search")
        self._done, self._best = 0, "none scored yet"

    def scored(self, progress: Progress[Any]) -> None:
        """One more score."""
        self._done, self._best = progress.done, f"best {progress.best.accuracy:.1%}"
        self._watch.advance(self._done, self._best)
        self._stopwatch.lap(_LAP)

    def tell(self, text: str) -> None:
        """Something of the network being scored."""
        self._watch.advance(self._done, f"{self._best}; {text}")

    def end(self) -> None:
        """The search is over."""
        self._watch.end()
        self._stopwatch.lap()


def _front(request: SearchRequest, run: RunSummary) -> dict[str, Any]:
    """Those that no other beats, as plain data, most accurate first; `tinynas pick` chooses from them."""
    timed = all(candidate.footprint.latency_ms is not None for candidate in run.candidates)
    return {
        "axes": [request.accuracy_key, "latency_ms" if timed else "macs", "sram_bytes", "flash_bytes"],
        "members": [
            {
                "genotype": candidate.genotype,
                request.accuracy_key: candidate.accuracy,
                **asdict(candidate.footprint),
                "generation": candidate.generation,
                "origin": candidate.origin.value,
                "trained_steps": candidate.trained_steps,
            }
            for candidate in run.front
        ],
    }


def best_as_file(session: Session, candidates: Sequence[Candidate[Any]]) -> Candidate[Any]:
    """The first of `candidates` whose .tflite fits too: flash was estimated until here, within 2 %.

    Raises:
        VerificationError: none does.
    """
    for candidate in candidates:
        if fits_as_file(session, candidate):
            return candidate
    raise VerificationError(
        "none of the networks found fits the flash once it is a file: search again with a smaller --flash"
    )


def fits_as_file(session: Session, candidate: Candidate[Any]) -> bool:
    """Whether its .tflite fits: exported untrained, in seconds, it has the size that it will have."""
    from tinynas.export import convert_int8, random_weights

    weights = random_weights(parse_genotype(candidate.genotype), np.random.default_rng(0))
    genotype = weights.genotype
    picture = np.zeros((1, genotype.resolution, genotype.resolution, genotype.in_channels), np.uint8)
    need = need_of_file(session, genotype, convert_int8(weights, picture))
    return need.excess(session.request.limits) is None


def strategy_of(request: SearchRequest) -> Strategy:
    """The strategy asked for, with as many evaluations as evolution takes.

    Raises:
        RequestError: its settings are impossible.
    """
    return make_strategy(request.strategy, request.effort, request.scoring)
