"""Stage 2 in a run: the strategy's search among networks that fit, scored with shared weights."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.session import Session
from tinynas.search import Candidate, Evolution, RandomSearch, Strategy, search
from tinynas.spaces import Choice, MobileSpace

if TYPE_CHECKING:
    from tinynas.supernet.model import Supernet

CHOSEN = "winner.json"


def evolve(session: Session, space: MobileSpace, model: Supernet) -> Candidate[Choice]:
    """The most accurate satisfying network the strategy finds, scored with shared weights."""
    from tinynas.supernet.scoring import Calibration, Scorer

    effort, seed, watch = session.effort, session.request.seed, session.observer
    train, held_out = session.parts()
    calibration = Calibration(effort.calibration_batches, effort.calibration_batch_size)
    scorer = Scorer(model, train, held_out, calibration=calibration, seed=seed)
    strategy = make_strategy(session.request)
    began = time.monotonic()
    watch.begin(f"{session.request.strategy} search", strategy.evaluations)
    outcome = search(
        space,
        strategy,
        session.limits(),
        lambda choice, _genotype: scorer.accuracy(choice),
        seed=seed,
        journal=session.run.journal,
        seeds=[space.smallest()],
        on_candidate=lambda p: watch.advance(p.done, f"best {p.best.accuracy:.1%}"),
    )
    watch.end()
    session.timed("search", time.monotonic() - began)
    best = outcome.best
    session.run.write_json(
        CHOSEN,
        {
            "genotype": best.genotype,
            "accuracy_shared_weights": best.accuracy,
            "generation": best.generation,
            "origin": best.origin.value,
            "candidates": len(outcome.candidates),
        },
    )
    return best


def make_strategy(request: SearchRequest) -> Strategy:
    """The strategy asked for; random search gets evolution's number of evaluations."""
    effort = request.effort
    if request.strategy == "random":
        return RandomSearch(evaluations=effort.evaluations)
    return Evolution(
        population=effort.population,
        iterations=effort.iterations,
        parents=effort.parents,
        crossover=effort.crossover,
        mutation=effort.mutation,
        mutation_probability=effort.mutation_probability,
    )
