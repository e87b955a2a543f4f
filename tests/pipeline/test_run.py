"""A whole search on real digits, as small as it can be: what it leaves, refuses and survives."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from small_search import BOARD, REQUEST, Guard

from tinynas import __version__
from tinynas.board import load_board, make_budget
from tinynas.data import load_dataset
from tinynas.engine.goals import Goal
from tinynas.errors import RequestError, RunError
from tinynas.pipeline.effort import SHARED_WEIGHTS, SHORT_TRAINING
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.run import run_search
from tinynas.pipeline.space_stage import space_report
from tinynas.report.run_page.read import read_page
from tinynas.report.run_page.sections import Missing
from tinynas.search import read_run
from tinynas.search.history import read_history
from tinynas.search.run_folder import MODEL


@pytest.mark.slow
def test_the_result_fits_and_agrees_with_the_run(finished: tuple[Path, Guard]) -> None:
    folder, guard = finished
    stages = [
        "design spaces",
        "largest network",
        "supernet",
        "evolution search",
        "fine-tuning",
        "export and verification",
    ]
    assert guard.stages == stages
    summary = read_run(folder)
    result = summary.result
    assert result is not None and summary.state == "done"
    assert result["sram_bytes"] <= result["sram_budget_bytes"] == 8 * 1024
    assert result["flash_bytes"] <= result["flash_budget_bytes"] == 72 * 1024
    assert result["model_bytes"] == (folder / MODEL).stat().st_size
    assert result["genotype"] == json.loads((folder / "winner.json").read_text())["genotype"]
    assert result["genotype"] in {candidate.genotype for candidate in summary.candidates}
    assert 0 <= result["accuracy_int8"] <= 1 and result["test_pictures"] == 360
    assert all((folder / name).stat().st_size for name in ("space.png", "space.svg"))


@pytest.mark.slow
def test_the_run_tells_how_its_trainings_went_and_where(finished: tuple[Path, Guard]) -> None:
    folder, _ = finished
    points = read_history(folder / "history.jsonl")
    ends = [point for point in points if point.step == point.steps]
    # each phase once, though the run was begun twice
    assert [point.phase for point in ends] == ["largest network", "supernet", "fine-tuning"]
    assert all(point.loss > 0 and 0 <= point.accuracy <= 1 for point in points)
    (place,) = json.loads((folder / "environment.json").read_text())
    assert place["tinynas"] == __version__ and "keras" in place["packages"] and place["cores"] >= 1
    page = read_page(folder)
    assert not any(isinstance(getattr(page, field.name), Missing) for field in fields(page))


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(
    finished: tuple[Path, Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_arguments: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("tinynas.pipeline.shared_weights.train_supernet", never)
    watch = Guard()
    assert run_search(REQUEST, finished[0], watch) == read_run(finished[0]).result
    assert "done already" in watch.notes[-1]


@pytest.mark.slow
def test_another_request_is_refused_and_named(finished: tuple[Path, Guard]) -> None:
    with pytest.raises(RunError, match=r"seed: 0 there, 1 here"):
        run_search(replace(REQUEST, seed=1), finished[0])


@pytest.mark.slow
@pytest.mark.parametrize(("change", "culprit"), [({"seed": 1}, "seed"), ({"elastic": 0}, "elastic")])
def test_a_supernet_that_saw_other_pictures_is_not_taken_over(
    finished: tuple[Path, Guard], tmp_path: Path, change: Any, culprit: str
) -> None:
    data = load_dataset("digits")
    request = replace(REQUEST, supernet=finished[0])
    assert space_report(request, data, tmp_path / "b").chosen_name == read_run(finished[0]).space["chosen"]  # type: ignore[index]
    with pytest.raises(RequestError, match=culprit):
        space_report(replace(request, **change), data, tmp_path / "b")


def test_a_run_that_is_none_cannot_be_taken_over(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not the folder of a run"):
        space_report(replace(REQUEST, supernet=tmp_path), load_dataset("digits"), tmp_path / "b")


def test_a_budget_nothing_fits_leaves_no_folder(tmp_path: Path) -> None:
    tiny = replace(REQUEST, budget=make_budget(BOARD, "2k"))
    with pytest.raises(RequestError, match="the smallest needs"):
        run_search(tiny, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_impossible_settings_are_refused_before_any_work(tmp_path: Path) -> None:
    effort = SHARED_WEIGHTS.make("quick", {"mutation_probability": 5.0})
    with pytest.raises(RequestError, match="mutation probability"):
        run_search(replace(REQUEST, effort=effort), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_mobile_request_is_recorded_as_before_there_were_families() -> None:
    """Runs begun then are found and continued by the same command."""
    record = REQUEST.to_dict()
    assert list(record) == [
        "board", "board_facts", "sram_bytes", "flash_bytes", "runtime", "data", "effort", "seed", "backend",
        "strategy", "min_share", "elastic_resolutions", "numbers",
    ]  # fmt: skip
    assert list(record["numbers"]) == [
        "samples", "largest_epochs", "supernet_epochs", "finetune_epochs", "max_steps", "batch_size",
        "subnets_per_batch", "largest_rate", "supernet_rate", "finetune_rate", "population", "iterations",
        "parents", "crossover", "mutation", "mutation_probability", "calibration_batches",
        "calibration_batch_size", "held_out", "held_out_most",
    ]  # fmt: skip


def test_a_request_of_networks_trained_alone_has_no_supernet(tmp_path: Path) -> None:
    effort = SHORT_TRAINING.make("quick", {})
    request = replace(REQUEST, family="regnetx", effort=effort)
    record = request.to_dict()
    assert record["family"] == "regnetx" and {"trial_epochs", "rungs"} < set(record["numbers"])
    assert not {"supernet_epochs", "subnets_per_batch"} & set(record["numbers"])
    with pytest.raises(RequestError, match="--supernet has no meaning"):
        replace(request, supernet=tmp_path)


def test_every_field_of_a_request_is_in_its_record(tmp_path: Path) -> None:
    """Two requests that differ in anything that decides the result must not share a run."""
    changed = {
        "board": load_board("stm32f412"),
        "budget": make_budget(BOARD, "47k"),
        "runtime": "live",
        "data": "mnist",
        "effort_name": "paper",
        "effort": SHARED_WEIGHTS.make("quick", {}),
        "seed": 1,
        "strategy": "random",
        "min_share": 0.5,
        "elastic": 0,
        "backend": "jax",
        "supernet": tmp_path,
        "family": "regnetx",
        "objective": "mnasnet-soft",
        "goal": Goal.SPEED,
        "measure_every": 3,
        "measure_on": "virtual",
    }
    #: where the pictures lie does not matter: their fingerprint is recorded besides
    assert {field.name for field in fields(SearchRequest)} == {*changed, "data_dir"}
    timed = replace(REQUEST, budget=make_budget(BOARD, "8k", "72k", latency="30ms"))
    assert timed.to_dict() != REQUEST.to_dict()
    #: what means something only beside another
    measured = replace(REQUEST, measure_every=2, measure_on="port")
    beside = {"objective": timed, "measure_every": measured, "measure_on": measured}
    for name, value in changed.items():
        before = beside.get(name, REQUEST)
        assert replace(before, **{name: value}).to_dict() != before.to_dict(), name  # type: ignore[arg-type]
