"""Successive halving by what it does: who goes on, what it spends, and that no kill changes anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import Scorer, ToyChoice, ToySpace, toy_limits

from tinynas.networks import Genotype
from tinynas.search import (
    CANDIDATES,
    Candidate,
    Evolution,
    Outcome,
    RandomSearch,
    latest,
    open_run,
    ranked,
    read_candidates,
    search_by_rungs,
)
from tinynas.search.candidate import candidate_line, parse_candidate
from tinynas.search.ladder import most_scores

RUNGS = (1, 2, 4)
STRATEGY = Evolution(population=5, iterations=2, parents=2, crossover=1, mutation=2)


class Killed(BaseException):
    """What no handler of the search may catch."""


@dataclass
class ToyTrainer:
    """Networks trained step by step; `checkpoints` outlive the process, as files would.

    After `survives` events (a step taken, a score given, a checkpoint dropped) it is killed.
    """

    rungs: tuple[int, ...] = RUNGS
    survives: int | None = None
    checkpoints: dict[str, int] = field(default_factory=dict)
    spent: int = 0
    scored: list[tuple[str, int]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def accuracy(self, choice: ToyChoice, genotype: Genotype, steps: int) -> float:
        text = str(genotype)
        while self.checkpoints.get(text, 0) < steps:
            self._live()
            self.checkpoints[text] = self.checkpoints.get(text, 0) + 1
            self.spent += 1
        assert self.checkpoints[text] == steps, "it stands further than it is asked for"
        self._live()
        self.scored.append((text, steps))
        # more training helps, and changes who is ahead
        return min(1.0, Scorer(seed=steps)(choice, genotype) + steps / 100)

    def drop(self, genotype: str) -> None:
        self._live()
        self.checkpoints.pop(genotype, None)
        self.dropped.append(genotype)

    def _live(self) -> None:
        if self.survives is not None:
            if self.survives == 0:
                raise Killed
            self.survives -= 1


def run(folder: Path, ladder: ToyTrainer) -> Outcome[ToyChoice]:
    with open_run(folder, {"board": "toy"}) as kept:
        return search_by_rungs(ToySpace(4), STRATEGY, toy_limits(330), ladder, seed=5, journal=kept.journal)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome[ToyChoice], bytes, ToyTrainer]:
    folder, ladder = tmp_path_factory.mktemp("whole"), ToyTrainer()
    outcome = run(folder, ladder)
    return outcome, (folder / CANDIDATES).read_bytes(), ladder


@given(networks=st.integers(1, 40), rungs=st.lists(st.integers(1, 30), min_size=1, max_size=4, unique=True))
@settings(max_examples=30, deadline=None)
def test_half_of_a_generation_goes_on_and_the_budget_is_kept(networks: int, rungs: list[int]) -> None:
    ladder = ToyTrainer(tuple(sorted(rungs)))
    strategy = RandomSearch(evaluations=networks)
    outcome = search_by_rungs(ToySpace(6), strategy, toy_limits(), ladder, seed=0)
    counts, spent, left = [], 0, networks
    for before, steps in pairwise((0, *ladder.rungs)):
        counts.append(left)
        spent += left * (steps - before)
        left = -(-left // 2)
    assert [sum(steps == rung for _, steps in ladder.scored) for rung in ladder.rungs] == counts
    assert ladder.spent == spent
    assert len(ladder.scored) <= most_scores(networks, strategy.generations, len(ladder.rungs))
    assert len(outcome.candidates) == networks and outcome.best.trained_steps == ladder.rungs[-1]


def test_those_that_go_on_are_the_better_half(
    whole: tuple[Outcome[ToyChoice], bytes, ToyTrainer],
) -> None:
    outcome, journal, ladder = whole
    scores = [parse_candidate(line) for line in journal.decode().splitlines()]
    assert len({candidate.key for candidate in scores}) == len(scores) == len(ladder.scored)
    for generation in range(STRATEGY.generations):
        at = {
            rung: [c for c in scores if (c.generation, c.trained_steps) == (generation, rung)]
            for rung in RUNGS
        }
        for lower, higher in pairwise(RUNGS):
            went_on = [candidate.genotype for candidate in at[higher]]
            best = [candidate.genotype for candidate in ranked(at[lower])[: (len(at[lower]) + 1) // 2]]
            assert set(went_on) == set(best)
    top = [candidate for candidate in scores if candidate.trained_steps == RUNGS[-1]]
    assert outcome.best.genotype == ranked(top)[0].genotype
    assert [c.genotype for c in latest(scores)] == [c.genotype for c in outcome.candidates]


def test_only_the_winner_can_go_on_at_the_end(
    whole: tuple[Outcome[ToyChoice], bytes, ToyTrainer],
) -> None:
    outcome, _, ladder = whole
    assert ladder.checkpoints == {outcome.best.genotype: RUNGS[-1]}
    assert set(ladder.dropped) == {c.genotype for c in outcome.candidates} - {outcome.best.genotype}


def test_killed_after_any_event_it_ends_alike_and_spends_alike(
    tmp_path: Path, whole: tuple[Outcome[ToyChoice], bytes, ToyTrainer]
) -> None:
    outcome, journal, ladder = whole
    events = ladder.spent + len(ladder.scored) + len(ladder.dropped)
    for survives in range(events):
        folder = tmp_path / str(survives)
        first = ToyTrainer(survives=survives)
        with pytest.raises(Killed):
            run(folder, first)
        second = ToyTrainer(checkpoints=first.checkpoints)
        assert run(folder, second) == outcome
        assert (folder / CANDIDATES).read_bytes() == journal
        assert second.checkpoints == ladder.checkpoints
        # what was trained is not trained again
        assert first.spent + second.spent == ladder.spent
        assert not set(first.scored) & set(second.scored)


def test_a_network_trained_further_ranks_above_one_more_accurate_before(
    whole: tuple[Outcome[ToyChoice], bytes, ToyTrainer],
) -> None:
    best = whole[0].best
    early = Candidate(
        "early", best.choice, 1.0, best.footprint, best.generation, best.origin, trained_steps=RUNGS[0]
    )
    assert ranked([early, best]) == [best, early]


def test_a_line_from_before_there_were_rungs_is_read(
    whole: tuple[Outcome[ToyChoice], bytes, ToyTrainer], tmp_path: Path
) -> None:
    line = candidate_line(whole[0].best)
    old = line.replace(f'"trained_steps": {RUNGS[-1]}, ', "")
    assert old != line
    (tmp_path / CANDIDATES).write_text(old + "\n")
    (candidate,) = read_candidates(tmp_path / CANDIDATES)
    assert (candidate.trained_steps, candidate.genotype) == (0, whole[0].best.genotype)
