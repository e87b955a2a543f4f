"""A comparison of strategies: equal evaluations, every network scored once, and that no kill changes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from small_search import BOARD, REQUEST, Guard

from tinynas.board import make_budget
from tinynas.data import load_dataset
from tinynas.errors import RequestError, RunError
from tinynas.networks import Genotype
from tinynas.pipeline.comparison import ComparisonRequest, read_comparison, run_comparison
from tinynas.pipeline.effort import SHORT_TRAINING
from tinynas.pipeline.space_stage import space_report
from tinynas.pipeline.strategies import STRATEGIES
from tinynas.search import CANDIDATES, OneRung, read_candidates, read_run
from tinynas.search.objective import MnasNetReward
from tinynas.search.run_folder import CURVES, SUPERNET

#: a budget that most networks fit, quickly costed
ROOMY = replace(REQUEST, budget=make_budget(BOARD, "64k", "256k"), runtime="tflm")
THREE = ("random", "regularised", "grid")
ASKED = ComparisonRequest(ROOMY, THREE, evaluations=6, seeds=2)


class Killed(BaseException):
    """What no handler may catch."""


@dataclass
class Instead:
    """Scores without training anything: larger networks are better. Killed after `survives` scores."""

    survives: int = 10**9
    scored: list[str] = field(default_factory=list)

    def prepare(self, session: Any, space: Any) -> Instead:
        return self

    def ladder(self, tell: Callable[[str], None]) -> OneRung[Any]:
        return OneRung(self._accuracy)

    def _accuracy(self, choice: Any, genotype: Genotype) -> float:
        if len(self.scored) == self.survives:
            raise Killed
        self.scored.append(str(genotype))
        return min(1.0, len(str(genotype)) / 1000)


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Instead]:
    instead = Instead()
    monkeypatch.setattr("tinynas.pipeline.comparison.method_of", lambda request: instead)
    yield instead


def test_everyone_gets_as_many_evaluations_and_no_network_is_scored_twice(
    scorer: Instead, tmp_path: Path
) -> None:
    watch = Guard()
    found = run_comparison(ASKED, tmp_path / "run", watch)
    assert [curve.key for curve in found.curves] == ASKED.searches
    assert {len(curve.accuracies) for curve in found.curves if curve.strategy != "grid"} == {6}
    assert len(scorer.scored) == len(set(scorer.scored)) == found.networks
    assert found.networks < sum(len(curve.accuracies) for curve in found.curves)
    assert watch.stages == ["design spaces", "comparison of random, regularised, grid"]
    scores = {c.genotype: c.accuracy for c in read_candidates(tmp_path / "run" / CANDIDATES)}
    assert all(scores[curve.best] == max(curve.accuracies) for curve in found.curves)
    assert read_comparison(tmp_path / "run") == found
    with pytest.raises(RequestError, match="is a comparison, not a search"):
        read_run(tmp_path / "run")

    # again, it scores nothing; with more seeds and strategies, only what is new
    before = len(scorer.scored)
    assert run_comparison(ASKED, tmp_path / "run") == found and len(scorer.scored) == before
    more = replace(ASKED, seeds=3, strategies=(*THREE, "controller"))
    wider = run_comparison(more, tmp_path / "run")
    assert wider.of(ASKED.searches) == list(found.curves)
    assert {curve.key for curve in wider.curves} == set(more.searches)
    assert len(scorer.scored) == len(set(scorer.scored)) == wider.networks
    assert [curve.key for curve in wider.of(more.searches)] == more.searches


def test_rewards_are_compared_where_time_is_weighed_and_all_are_in_time_where_it_is_a_limit(
    scorer: Instead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a space is chosen sooner where no plans are made
    report = space_report(ROOMY, load_dataset("digits"), tmp_path / "nowhere")
    monkeypatch.setattr("tinynas.pipeline.comparison.space_report", lambda *_: report)
    timed = replace(ASKED, strategies=("random", "grid"), evaluations=3)
    limit = make_budget(BOARD, "64k", "256k", latency="200ms")
    strict = run_comparison(
        replace(timed, search=replace(ROOMY, budget=limit, runtime="engine")), tmp_path / "strict"
    )
    assert strict.objective is None
    assert all(max(curve.latencies_ms) <= 200 for curve in strict.curves)
    assert [standing.in_time(200.0) for standing in strict.standings()] == [2, 2]

    target = make_budget(BOARD, "64k", "256k", latency="5ms")
    weighing = replace(ROOMY, budget=target, runtime="engine", objective="mnasnet-hard")
    found = run_comparison(replace(timed, search=weighing), tmp_path / "weighed")
    objective = MnasNetReward(5.0, 0.0, -1.0)
    assert found.objective == objective and found.target_ms == 5
    assert any(time > 5 for curve in found.curves for time in curve.latencies_ms), "a target is no limit"
    known = {c.genotype: c for c in read_candidates(tmp_path / "weighed" / CANDIDATES)}
    for curve in found.curves:
        best = known[curve.best]
        reward = objective.reward(best.accuracy, best.footprint.latency_ms or 0.0)
        assert curve.best_so_far(objective)[-1] == pytest.approx(reward)


@pytest.mark.parametrize("survives", [3, 13])
def test_a_kill_changes_nothing(
    survives: int, scorer: Instead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_comparison(ASKED, tmp_path / "whole")
    killed, rest = Instead(survives), Instead()
    monkeypatch.setattr("tinynas.pipeline.comparison.method_of", lambda request: killed)
    with pytest.raises(Killed):
        run_comparison(ASKED, tmp_path / "run")
    monkeypatch.setattr("tinynas.pipeline.comparison.method_of", lambda request: rest)
    run_comparison(ASKED, tmp_path / "run")
    for name in (CURVES, CANDIDATES):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(killed.scored) == survives
    assert killed.scored + rest.scored == scorer.scored


def test_another_request_is_refused(scorer: Instead, tmp_path: Path) -> None:
    run_comparison(replace(ASKED, seeds=1, strategies=("grid",)), tmp_path / "run")
    with pytest.raises(RunError, match="seed: 0 there, 1 here"):
        run_comparison(replace(ASKED, search=replace(ROOMY, seed=1)), tmp_path / "run")
    with pytest.raises(RequestError, match="is not the folder of a comparison"):
        read_comparison(tmp_path)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("evaluations", [1, 5, 100])
def test_no_strategy_takes_more_than_asked_for(name: str, evaluations: int) -> None:
    strategy = ComparisonRequest(REQUEST, (name,), evaluations, 1).strategy(name)
    assert strategy.evaluations == evaluations and strategy.generations >= 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategies": ()}, "must name different strategies"),
        ({"strategies": ("grid", "grid")}, "must name different strategies"),
        ({"strategies": ("luck",)}, "'luck' is not a strategy"),
        ({"evaluations": 0}, "must be at least 1"),
        ({"seeds": 0}, "must be at least 1"),
    ],
)
def test_impossible_comparisons_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        replace(ASKED, **change)


def test_networks_trained_alone_must_be_trained_alike() -> None:
    alone = replace(REQUEST, family="regnetx", effort=SHORT_TRAINING.make("quick", {}))
    with pytest.raises(RequestError, match="say --rungs 1"):
        replace(ASKED, search=alone)
    one = replace(ASKED, search=replace(alone, effort=SHORT_TRAINING.make("quick", {"rungs": 1})))
    assert one.to_dict()["numbers"]["rungs"] == 1 and "strategy" not in one.to_dict()


@pytest.mark.slow
def test_a_trained_supernet_tells_strategies_apart(finished: tuple[Path, Guard], tmp_path: Path) -> None:
    search = replace(REQUEST, supernet=finished[0])
    asked = ComparisonRequest(search, ("random", "bayesian"), evaluations=5, seeds=1)
    found = run_comparison(asked, tmp_path / "run", Guard())
    assert [len(curve.accuracies) for curve in found.curves] == [5, 5]
    # what the search of that run scored, it scored the same
    there = {c.genotype: c.accuracy for c in read_candidates(finished[0] / CANDIDATES)}
    here = {c.genotype: c.accuracy for c in read_candidates(tmp_path / "run" / CANDIDATES)}
    shared = there.keys() & here.keys()
    assert shared and all(there[text] == here[text] for text in shared)
    assert json.loads((tmp_path / "run" / "request.json").read_text())["supernet"] == str(finished[0])


@pytest.mark.slow
def test_the_supernet_of_a_comparison_is_taken_over_too(finished: tuple[Path, Guard], tmp_path: Path) -> None:
    first = replace(REQUEST, supernet=finished[0])
    run_comparison(ComparisonRequest(first, ("random",), evaluations=2, seeds=1), tmp_path / "first")
    second = replace(REQUEST, supernet=tmp_path / "first")
    found = run_comparison(ComparisonRequest(second, ("grid",), evaluations=2, seeds=1), tmp_path / "second")
    assert (tmp_path / "second" / SUPERNET).read_bytes() == (finished[0] / SUPERNET).read_bytes()
    assert len(found.curves) == 1
    other = ComparisonRequest(replace(second, seed=1), ("grid",), evaluations=2, seeds=1)
    with pytest.raises(RequestError, match=r"cannot be taken over, since .*seed"):
        run_comparison(other, tmp_path / "third")


def test_who_never_comes_to_learn_is_named(scorer: Instead, tmp_path: Path) -> None:
    """The curves would be those of random networks, with the names of strategies."""
    few = replace(ASKED, strategies=("random", "regularised", "bayesian"), evaluations=3)
    assert few.only_random == ["regularised", "bayesian"]
    assert not replace(few, evaluations=200).only_random
    notes = Guard()
    run_comparison(few, tmp_path, notes)
    told = "with which regularised and bayesian begin: ask for more --evaluations"
    assert any(told in note for note in notes.notes)
