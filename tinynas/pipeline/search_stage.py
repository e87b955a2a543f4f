"""Stage 2 in a run: the strategy's search among networks that fit, scored with shared weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinynas.errors import VerificationError
from tinynas.networks import parse_genotype
from tinynas.pipeline.file_need import need_of_file
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.session import Session
from tinynas.search import Candidate, Evolution, Progress, RandomSearch, Strategy, ranked, search
from tinynas.search.run_folder import CHOSEN
from tinynas.spaces import Choice, MobileSpace

if TYPE_CHECKING:
    from tinynas.supernet.model import Supernet

#: candidates between two laps of the stopwatch
_LAP = 10


def evolve(session: Session, space: MobileSpace, model: Supernet) -> Candidate[Choice]:
    """The most accurate satisfying network the strategy finds, scored with shared weights."""
    from tinynas.supernet.scoring import Calibration, Calibrator, Scorer

    effort, seed, watch = session.effort, session.request.seed, session.observer
    train, held_out = session.parts()
    calibration = Calibration(effort.calibration_batches, effort.calibration_batch_size)
    scorer = Scorer(Calibrator(model, train, calibration=calibration, seed=seed), held_out)
    strategy = make_strategy(session.request)
    stopwatch = session.stopwatch("search")

    def on_candidate(progress: Progress[Choice]) -> None:
        watch.advance(progress.done, f"best {progress.best.accuracy:.1%}")
        if progress.done % _LAP == 0:
            stopwatch.lap()

    watch.begin(f"{session.request.strategy} search", strategy.evaluations)
    outcome = search(
        space,
        strategy,
        session.limits(),
        lambda choice, _genotype: scorer.accuracy(choice),
        seed=seed,
        journal=session.run.journal,
        seeds=[space.smallest()],
        on_candidate=on_candidate,
    )
    watch.end()
    stopwatch.lap()
    winner = _best_as_file(session.request, outcome.candidates)
    session.run.write_json(
        CHOSEN,
        {
            "genotype": winner.genotype,
            "accuracy_shared_weights": winner.accuracy,
            "generation": winner.generation,
            "origin": winner.origin.value,
            "candidates": len(outcome.candidates),
        },
    )
    return winner


def _best_as_file(request: SearchRequest, candidates: Sequence[Candidate[Choice]]) -> Candidate[Choice]:
    """The best candidate whose .tflite fits too: flash was estimated until here, within 2 %.

    Each is exported untrained, which takes seconds and gives a file of the final size, until one fits.
    """
    from tinynas.export import convert_int8, random_weights

    for candidate in ranked(candidates):
        weights = random_weights(parse_genotype(candidate.genotype), np.random.default_rng(0))
        genotype = weights.genotype
        picture = np.zeros((1, genotype.resolution, genotype.resolution, genotype.in_channels), np.uint8)
        if need_of_file(request, convert_int8(weights, picture)).excess(request.budget) is None:
            return candidate
    raise VerificationError(
        "none of the networks found fits the flash once it is a file: search again with a smaller --flash"
    )


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
