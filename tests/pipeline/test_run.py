"""A whole search on real digits, as small as it can be: what it leaves, refuses and survives."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tinynas.board import load_board, make_budget
from tinynas.data import Dataset, Split, load_dataset
from tinynas.errors import RequestError, RunError
from tinynas.pipeline.effort import make_effort
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.run import run_search
from tinynas.pipeline.space_stage import space_report
from tinynas.search import RunFolder, read_run
from tinynas.search.run_folder import MODEL, RESULT

BOARD = load_board("stm32f746")
NUMBERS = {
    "largest_epochs": 0.1,
    "supernet_epochs": 0.1,
    "finetune_epochs": 0.2,
    "population": 4,
    "iterations": 1,
    "parents": 2,
    "crossover": 1,
    "mutation": 1,
    "samples": 100,
}
REQUEST = SearchRequest(
    board=BOARD,
    budget=make_budget(BOARD, "8k", "96k"),
    runtime="engine",
    data="digits",
    data_dir=None,
    effort_name="quick",
    effort=make_effort("quick", NUMBERS),
    seed=0,
)


class Guard:
    """Watches a search: reading the test pictures is an error until the export begins."""

    def __init__(self) -> None:
        self.open = False
        self.notes: list[str] = []
        self.stages: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, stage: str, total: int) -> None:
        self.stages.append(stage)
        self.open |= stage == "export and verification"

    def advance(self, done: int, text: str) -> None:
        pass

    def end(self) -> None:
        pass


class GuardedData:
    """A data set that tells when its test half is read too early."""

    def __init__(self, data: Dataset, guard: Guard) -> None:
        self._data, self._guard = data, guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    @property
    def test(self) -> Split:
        assert self._guard.open, "the test set was read before the end"
        return self._data.test


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Guard]]:
    """A run that met a full disk as its model was written, and was started again."""
    folder, guard = tmp_path_factory.mktemp("runs") / "a", Guard()
    data = GuardedData(load_dataset("digits"), guard)
    write = RunFolder.write_bytes

    def full(self: RunFolder, name: str, content: bytes) -> Path:
        if name == MODEL:
            raise RunError("no space left on the disk") from OSError(errno.ENOSPC, "")
        return write(self, name, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinynas.pipeline.run.load_dataset", lambda *_a, **_k: data)
        patch.setattr("tinynas.pipeline.run.describe", lambda _data: "digits")
        patch.setattr("tinynas.pipeline.run.fingerprint", lambda _data: "digits")
        patch.setattr(RunFolder, "write_bytes", full)
        with pytest.raises(RunError, match="no space left"):
            run_search(REQUEST, folder, guard)
        assert not (folder / RESULT).exists() and not (folder / MODEL).exists()
        patch.setattr(RunFolder, "write_bytes", write)
        run_search(REQUEST, folder, Guard())
        yield folder, guard


@pytest.mark.slow
def test_the_result_fits_and_agrees_with_the_run(finished: tuple[Path, Guard]) -> None:
    folder, guard = finished
    stages = ["largest network", "supernet", "evolution search", "fine-tuning", "export and verification"]
    assert guard.stages == stages
    summary = read_run(folder)
    result = summary.result
    assert result is not None and summary.state == "done"
    assert result["sram_bytes"] <= result["sram_budget_bytes"] == 8 * 1024
    assert result["flash_bytes"] <= result["flash_budget_bytes"] == 96 * 1024
    assert result["model_bytes"] == (folder / MODEL).stat().st_size
    assert result["genotype"] == json.loads((folder / "winner.json").read_text())["genotype"]
    assert result["genotype"] in {candidate.genotype for candidate in summary.candidates}
    assert 0 <= result["accuracy_int8"] <= 1 and result["test_pictures"] == 360
    assert all((folder / name).stat().st_size for name in ("space.png", "space.svg"))


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(
    finished: tuple[Path, Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_arguments: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("tinynas.pipeline.run.train_supernet", never)
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
    finished: tuple[Path, Guard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, culprit: str
) -> None:
    monkeypatch.setattr("tinynas.pipeline.space_stage.fingerprint", lambda _data: "digits")
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
    effort = make_effort("quick", {"mutation_probability": 5.0})
    with pytest.raises(RequestError, match="mutation probability"):
        run_search(replace(REQUEST, effort=effort), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_every_field_of_a_request_is_in_its_record(tmp_path: Path) -> None:
    """Two requests that differ in anything that decides the result must not share a run."""
    changed = {
        "board": load_board("stm32f412"),
        "budget": make_budget(BOARD, "47k"),
        "runtime": "live",
        "data": "mnist",
        "effort_name": "paper",
        "effort": make_effort("quick", {}),
        "seed": 1,
        "strategy": "random",
        "min_share": 0.5,
        "elastic": 0,
        "backend": "jax",
        "supernet": tmp_path,
    }
    #: where the pictures lie does not matter: their fingerprint is recorded besides
    assert {field.name for field in fields(SearchRequest)} == {*changed, "data_dir"}
    for name, value in changed.items():
        assert replace(REQUEST, **{name: value}).to_dict() != REQUEST.to_dict(), name  # type: ignore[arg-type]
