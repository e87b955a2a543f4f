"""Strategies compared: each searches one space with several seeds, and all share every score.

A network that one search scored is never scored again for another. The folder holds what scores depend on;
strategies, seeds and evaluations can be added to it at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinynas.data import describe, fingerprint, load_dataset
from tinynas.errors import RequestError
from tinynas.pipeline.observer import Observer, Silent
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.scoring import method_of
from tinynas.pipeline.session import Session
from tinynas.pipeline.space_stage import choose_space, space_report
from tinynas.pipeline.strategies import RANDOM, make_strategy
from tinynas.search import (
    AtMost,
    Outcome,
    Progress,
    Strategy,
    is_run,
    open_run,
    read_candidates,
    search_by_rungs,
)
from tinynas.search.curves import Curve, Standing, append_curve, read_curves, standings
from tinynas.search.disk import disk_errors
from tinynas.search.objective import ACCURACY, Objective, find_objective
from tinynas.search.run_folder import CANDIDATES, COMPARISON, CURVES, REQUEST, SPACE, read_object
from tinynas.spaces import DesignSpace, Scoring


@dataclass(frozen=True, slots=True)
class ComparisonRequest:
    """What is compared: `evaluations` of each of `strategies`, with each of the seeds 0 to `seeds` - 1.

    `search` says everything else; its seed is that of pictures, space and training, its strategy nothing.
    Networks that are trained one by one are all trained equally long, so that the best so far means
    something: on one rung.
    """

    search: SearchRequest
    strategies: tuple[str, ...]
    evaluations: int
    seeds: int

    def __post_init__(self) -> None:
        if not self.strategies or len(set(self.strategies)) < len(self.strategies):
            raise RequestError("--strategies must name different strategies, such as evolution,random")
        for name in self.strategies:
            replace(self.search, strategy=name)  # refuses what is none
        if self.evaluations < 1 or self.seeds < 1:
            raise RequestError("--evaluations and --seeds must be at least 1")
        if self.search.scoring is Scoring.SHORT_TRAINING and self.search.effort.rungs != 1:
            raise RequestError(
                "networks compared by their best so far must be trained equally long: say --rungs 1"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for request.json: all that scores and strategies' settings depend on."""
        plain = self.search.to_dict()
        del plain["strategy"]
        return {"kind": COMPARISON} | plain

    def strategy(self, name: str) -> Strategy:
        """The strategy `name`, for the evaluations asked for, if the space has so many networks that fit."""
        effort = self.search.effort.with_evaluations(self.evaluations)
        return AtMost(make_strategy(name, effort, self.search.scoring), self.evaluations)

    @property
    def only_random(self) -> list[str]:
        """Strategies that learn, and come to nothing but the random networks that they begin with."""
        names = [name for name in self.strategies if name != RANDOM]
        return [name for name in names if self.strategy(name).generations == 1]

    @property
    def searches(self) -> list[tuple[str, int, int]]:
        """Strategy, seed and evaluations of every search, seed after seed."""
        return [(name, seed, self.evaluations) for seed in range(self.seeds) for name in self.strategies]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison as far as it got: `networks` are scored, each once."""

    path: Path
    request: Mapping[str, Any]
    space: str | None
    curves: tuple[Curve, ...]
    networks: int

    @property
    def objective_name(self) -> str:
        """What the searches maximised: ``accuracy``."""
        return str(self.request.get("objective", ACCURACY))

    @property
    def objective(self) -> Objective | None:
        """The same; None is accuracy."""
        return find_objective(self.objective_name, self.target_ms)

    @property
    def target_ms(self) -> float | None:
        """The time asked for: a limit, or what the objective weighs times against."""
        return self.request.get("latency_ms")

    def standings(self, level: float | None = None, curves: Sequence[Curve] | None = None) -> list[Standing]:
        """What each strategy came to in the longest of `curves`, by default all."""
        found = self.curves if curves is None else curves
        # shorter ones do not compare
        most = max((curve.evaluations for curve in found), default=0)
        return standings([c for c in found if c.evaluations == most], level, self.objective)

    def of(self, searches: Iterable[tuple[str, int, int]]) -> list[Curve]:
        """The curves of `searches` that are there."""
        known = {curve.key: curve for curve in self.curves}
        return [known[key] for key in searches if key in known]


def run_comparison(request: ComparisonRequest, path: Path, observer: Observer | None = None) -> Comparison:
    """Every search that `request` asks for in the folder `path`, but for those that are there already.

    Raises:
        TinynasError: the request cannot be met, or data or folder are unfit.
    """
    watch, search = observer or Silent(), request.search
    for name in request.strategies:
        request.strategy(name)  # refuses impossible settings now rather than after the training
    if names := request.only_random:
        watch.note(
            f"{request.evaluations} evaluations are no more than the random networks with which "
            f"{' and '.join(names)} begin: ask for more --evaluations to compare what they learn"
        )
    data = load_dataset(search.data, search.data_dir, seed=search.seed)
    watch.note(describe(data))
    report = space_report(search, data, path, watch)
    with open_run(path, request.to_dict() | {"data_fingerprint": fingerprint(data)}) as run:
        session = Session(search, run, data, watch)
        space = choose_space(session, report)
        there = {curve.key for curve in read_curves(run.path / CURVES)}
        missing = [key for key in request.searches if key not in there]
        if missing:
            _search_all(request, session, space, missing)
        else:
            watch.note(f"{path} has every search asked for already")
    return read_comparison(path)


def read_comparison(path: Path) -> Comparison:
    """The comparison in the folder `path`; nothing is written.

    Raises:
        RequestError: there is none.
        RunError: a file is damaged or cannot be read.
    """
    with disk_errors(path):
        request = read_object(path / REQUEST) if is_run(path) else {}
    if request.get("kind") != COMPARISON:
        raise RequestError(f"'{path}' is not the folder of a comparison: start one with --board")
    space = read_object(path / SPACE).get("chosen") if (path / SPACE).exists() else None
    networks = len(read_candidates(path / CANDIDATES))
    return Comparison(path, request, space, tuple(read_curves(path / CURVES)), networks)


def _search_all(
    request: ComparisonRequest, session: Session, space: DesignSpace[Any], missing: list[tuple[str, int, int]]
) -> None:
    """Search after search, each from the scores of all before it."""
    watch, run, done = session.observer, session.run, 0
    ladder = method_of(request.search).prepare(session, space).ladder(lambda text: None)
    limits, stopwatch = session.limits(), session.stopwatch("search")
    watch.begin(f"comparison of {', '.join(request.strategies)}", len(missing) * request.evaluations)
    for name, seed, evaluations in missing:
        outcome = search_by_rungs(
            space,
            request.strategy(name),
            limits,
            ladder,
            seed=seed,
            journal=run.journal,
            seeds=[space.smallest()],
            objective=find_objective(request.search.objective, request.search.budget.latency_ms),
            on_candidate=_teller(watch, f"{name}, seed {seed}", done),
        )
        append_curve(run.path / CURVES, _curve(name, seed, evaluations, outcome))
        stopwatch.lap()
        done += evaluations
    watch.end()


def _curve(strategy: str, seed: int, evaluations: int, outcome: Outcome[Any]) -> Curve:
    """What a search found, with the times of its networks where those are known."""
    found = outcome.candidates
    times = [c.footprint.latency_ms for c in found if c.footprint.latency_ms is not None]
    return Curve(
        strategy,
        seed,
        evaluations,
        tuple(candidate.accuracy for candidate in found),
        outcome.best.genotype,
        tuple(times) if len(times) == len(found) else (),
    )


def _teller(watch: Observer, search: str, before: int) -> Callable[[Progress[Any]], None]:
    """Tells of one search after those that took `before` evaluations."""
    return lambda progress: watch.advance(
        before + progress.done, f"{search}: best {progress.best.accuracy:.1%}"
    )
