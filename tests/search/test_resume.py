"""Killed at any moment, the same search ends with the same winner and, byte for byte, the same journal."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import Scorer, ToyChoice, ToySpace, genotype_seed, toy_limits

from tinynas.errors import RunError
from tinynas.networks import Genotype
from tinynas.search import (
    CANDIDATES,
    CandidateJournal,
    Evolution,
    Outcome,
    Progress,
    RandomSearch,
    open_run,
    read_candidates,
    restore_choice,
    search,
)
from tinynas.search.candidate import candidate_line, parse_candidate

STRATEGY = Evolution(population=10, iterations=4, parents=4, crossover=5, mutation=5)
REQUEST = {"board": "toy", "seed": 3}
Evaluate = Callable[[ToyChoice, Genotype], float]


def _run(folder: Path, evaluate: Evaluate, **options: Any) -> Outcome[ToyChoice]:
    with open_run(folder, REQUEST) as run:
        limits = toy_limits(sram_bytes=330)
        return search(ToySpace(4), STRATEGY, limits, evaluate, seed=3, journal=run.journal, **options)


def _in_child(work: Callable[[], object], after: float | None = None) -> int:
    """Runs `work` in a child process, sent SIGKILL `after` seconds; the signal that ended it, 0 for none."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) * -1


def _suicidal(survives: int) -> Evaluate:
    scorer = Scorer()

    def evaluate(choice: ToyChoice, genotype: Genotype) -> float:
        if len(scorer.scored) == survives:
            os.kill(os.getpid(), signal.SIGKILL)
        return scorer(choice, genotype)

    return evaluate


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome[ToyChoice], bytes]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    outcome = _run(folder, Scorer())
    assert len(outcome.candidates) == STRATEGY.evaluations
    return outcome, (folder / CANDIDATES).read_bytes()


def test_killed_at_ten_random_candidates_ends_with_the_same_winner(
    tmp_path: Path, uninterrupted: tuple[Outcome[ToyChoice], bytes]
) -> None:
    outcome, journal = uninterrupted
    for survives in sorted(random.Random(0).sample(range(len(outcome.candidates)), 10)):
        folder = tmp_path / f"killed{survives}"
        assert _in_child(lambda s=survives, f=folder: _run(f, _suicidal(s))) == signal.SIGKILL  # type: ignore[misc]
        assert len(read_candidates(folder / CANDIDATES)) == survives
        scorer = Scorer()
        assert _run(folder, scorer) == outcome
        assert (folder / CANDIDATES).read_bytes() == journal
        assert len(scorer.scored) == len(outcome.candidates) - survives


def test_killed_again_and_again_by_the_clock_ends_with_the_same_winner(
    tmp_path: Path, uninterrupted: tuple[Outcome[ToyChoice], bytes]
) -> None:
    outcome, journal = uninterrupted

    def slow(choice: ToyChoice, genotype: Genotype) -> float:
        time.sleep(0.004)
        return Scorer()(choice, genotype)

    folder, moments = tmp_path / "run", random.Random(1)
    kills = [_in_child(lambda: _run(folder, slow), after=moments.uniform(0.005, 0.06)) for _ in range(10)]
    assert signal.SIGKILL in kills
    assert _run(folder, Scorer()) == outcome
    assert (folder / CANDIDATES).read_bytes() == journal


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_journal_cut_at_any_byte_is_mended(
    tmp_path_factory: pytest.TempPathFactory,
    uninterrupted: tuple[Outcome[ToyChoice], bytes],
    data: st.DataObject,
) -> None:
    outcome, journal = uninterrupted
    cut = data.draw(st.integers(0, len(journal)))
    folder = tmp_path_factory.mktemp("cut") / "run"
    with open_run(folder, REQUEST) as run:
        run.write_bytes(CANDIDATES, journal[:cut])
    assert len(read_candidates(folder / CANDIDATES)) == journal[:cut].count(b"\n")
    assert (folder / CANDIDATES).read_bytes() == journal[:cut], "reading must not write"
    scorer = Scorer()
    assert _run(folder, scorer) == outcome
    assert (folder / CANDIDATES).read_bytes() == journal
    assert len(scorer.scored) == len(outcome.candidates) - journal[:cut].count(b"\n")


def test_a_finished_search_scores_nothing_again(
    tmp_path: Path, uninterrupted: tuple[Outcome[ToyChoice], bytes]
) -> None:
    told: list[Progress[Any]] = []
    _run(tmp_path / "run", Scorer())
    again = Scorer()
    assert _run(tmp_path / "run", again, on_candidate=told.append) == uninterrupted[0]
    assert again.scored == []
    assert all(progress.reused for progress in told)


def test_an_error_in_scoring_loses_nothing_before_it(
    tmp_path: Path, uninterrupted: tuple[Outcome[ToyChoice], bytes]
) -> None:
    def interrupted(choice: ToyChoice, genotype: Genotype) -> float:
        if len(scorer.scored) == 17:
            raise KeyboardInterrupt
        return scorer(choice, genotype)

    scorer = Scorer()
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "run", interrupted)
    assert _run(tmp_path / "run", Scorer()) == uninterrupted[0]
    assert (tmp_path / "run" / CANDIDATES).read_bytes() == uninterrupted[1]


def test_a_damaged_line_is_named(tmp_path: Path, uninterrupted: tuple[Outcome[ToyChoice], bytes]) -> None:
    lines = uninterrupted[1].split(b"\n")
    path = tmp_path / CANDIDATES
    whole = lines[4]
    for damage, said in [
        (b"\0" * 20, "line 5"),
        (whole[:30], "line 5"),
        (b"[1, 2]", "not an object"),
        (b"\xff\xfe", "line 5"),
        (b"", "line 5"),
        (whole.replace(b'"macs"', b'"mac"'), "'macs' is missing"),
        (whole.replace(b'"generation": 0', b'"generation": "0"'), "'generation' is of the wrong kind"),
        (whole.replace(b'"accuracy": 0.', b'"accuracy": 7.'), "'accuracy' is not within 0 and 1"),
        (whole.replace(b'"random"', b'"luck"'), "luck"),
    ]:
        assert damage != whole
        path.write_bytes(b"\n".join([*lines[:4], damage, *lines[5:]]))
        for read in (read_candidates, CandidateJournal):
            with pytest.raises(RunError, match=r"candidates\.jsonl' is damaged in line 5 ") as caught:
                read(path)
            assert said in str(caught.value)


@given(seed=st.integers(0, 2**40), accuracy=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_a_candidate_comes_back_from_its_line(seed: int, accuracy: float) -> None:
    outcome = search(
        ToySpace(), RandomSearch(evaluations=1), toy_limits(), lambda choice, genotype: accuracy, seed=seed
    )
    back = parse_candidate(candidate_line(outcome.best))
    assert restore_choice(ToyChoice, back.choice) == outcome.best.choice
    assert (back.accuracy, back.footprint) == (accuracy, outcome.best.footprint)
    assert candidate_line(back) == candidate_line(outcome.best)


def test_seeds_of_genotypes_are_fixed_and_differ() -> None:
    # written down once: another value would change every run's scores
    assert genotype_seed(0, "r8x1 fc_c2") == 337776811
    seeds = {genotype_seed(run, f"r8x{n} fc_c2") for run in range(10) for n in range(1, 100)}
    assert len(seeds) == 990
    assert all(0 <= s < 2**32 for s in seeds)
    np.random.default_rng(max(seeds))
