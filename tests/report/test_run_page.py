"""The page of a run: right facts, what the run lacks said in its place, nothing of it taken as markup."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_run import (
    ACCURACIES,
    GENOTYPES,
    REQUEST,
    STAGES,
    candidates,
    damage,
    deployment,
    make_run,
    result,
    train,
)

from tinynas.cli.main import main
from tinynas.cost import macs
from tinynas.errors import RunError
from tinynas.networks import build_graph, parse_genotype
from tinynas.report import style
from tinynas.report.run_page.html import render
from tinynas.report.run_page.operator_table import operator_rows
from tinynas.report.run_page.pictures import THEMED, pictures_of
from tinynas.report.run_page.read import read_page
from tinynas.report.run_page.sections import Missing, RunPage, as_modelled, plain
from tinynas.search import Timing, open_run
from tinynas.search.timings import TimingJournal

#: elements that end themselves
_VOID = {"meta", "link", "br", "input", "img", "use", "path", "rect", "image", "circle"}


class _Reader(HTMLParser):
    """What a page consists of; `addresses` is everything that it loads or leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        given = dict(attrs)
        self.addresses += [given[key] or "" for key in ("src", "href", "xlink:href") if key in given]
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployed run that tests only look at."""
    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def page(finished: Path) -> RunPage:
    return read_page(finished)


def page_text(folder: Path) -> str:
    """The whole page; drawing takes seconds."""
    page = read_page(folder)
    return render(page, pictures_of(page))


def page_words(folder: Path) -> str:
    """What it says beside its pictures."""
    return " ".join("".join(_Reader(render(read_page(folder), {})).words).split())


def test_a_finished_run_has_every_section(page: RunPage) -> None:
    assert not any(isinstance(getattr(page, field.name), Missing) for field in fields(page))
    assert set(pictures_of(page)) == {
        "space",
        "training",
        "evolution",
        "front",
        "network",
        "memory",
        "cycles-stm32f746-virtual",
    }


def test_generations_have_best_mean_and_spread(page: RunPage) -> None:
    evolution = page.evolution
    assert not isinstance(evolution, Missing)
    first, second = evolution.generations
    assert (first.networks, first.best, first.worst) == (2, 0.8, 0.6)
    assert (second.mean, second.deviation) == (pytest.approx(0.875), pytest.approx(0.025))
    assert [each.best_yet for each in (first, second)] == [0.8, 0.9]
    assert sum(evolution.origins.values()) == evolution.networks == 4


def test_blocks_and_layers_add_up_to_the_network(page: RunPage) -> None:
    network = page.network
    assert not isinstance(network, Missing)
    genotype = parse_genotype(GENOTYPES[0])
    assert network.macs == macs(build_graph(genotype)) == candidates()[0].footprint.macs
    head = [layer for layer in network.layers if layer.block is None]
    assert [layer.operator for layer in head] == ["MEAN", "FULLY_CONNECTED"]
    assert sum(block.macs for block in network.blocks) + sum(layer.macs for layer in head) == network.macs
    assert max(block.sram_bytes for block in network.blocks) == network.sram_bytes
    assert [block.text for block in network.blocks] == [str(block) for block in genotype.blocks]
    assert [block.residual for block in network.blocks] == [False, True, False, True]
    # expand, depthwise, squeeze (mean, two convolutions, ReLU fused, logistic, product), project
    assert network.blocks[2].operators == 8 and network.blocks[2].squeeze == 0.25


@pytest.mark.parametrize("upto", STAGES)
def test_a_run_killed_anywhere_has_a_page_that_says_what_is_missing(upto: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", upto)
    page, words = read_page(folder), page_words(folder)
    lacking = [each for field in fields(page) if isinstance(each := getattr(page, field.name), Missing)]
    assert all(" ".join(each.why.split()) in words for each in lacking)
    assert ("This run is not finished" in words) == (upto not in ("result", "deployed"))
    assert ("No board has run" in words) == (upto != "deployed")
    assert "None" not in words and "nan" not in words
    json.dumps(plain(page), allow_nan=False)


def test_what_a_kill_leaves_of_a_training_is_drawn(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "space")
    train(folder / "history.jsonl", "largest network", 40, done=11)
    with (folder / "history.jsonl").open("a") as file:
        file.write('{"phase": "larg')
    training = read_page(folder).training
    assert not isinstance(training, Missing)
    assert not training.curves[0].is_done and training.curves[0].points[-1].step == 11
    assert "11 of 40" in page_words(folder)
    pictures_of(read_page(folder))["training"].draw()


def test_networks_trained_on_their_own_have_their_rungs(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "space")
    first, second, *_ = candidates()
    with open_run(folder, REQUEST) as run:
        for candidate, steps, accuracy in ((first, 10, 0.3), (second, 10, 0.5), (second, 20, 0.6)):
            run.journal.append(replace(candidate, trained_steps=steps, accuracy=accuracy))
    page = read_page(folder)
    assert [(trial.steps, trial.accuracies) for trial in page.trials] == [
        ((10,), (0.3,)),
        ((10, 20), (0.5, 0.6)),
    ]
    assert not isinstance(page.evolution, Missing) and page.evolution.trained == {10: 1, 20: 1}
    pictures_of(page)["trials"].draw()
    assert "Short trainings of the search" in page_words(folder)


def test_parts_that_cannot_be_read_are_said_in_their_place(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    damage(folder / "history.jsonl", "[]\n")
    damage(folder / "environment.json", {"no": "list"})
    words = page_words(folder)
    assert "damaged in line 1" in words and "is not what tinynas writes" in words
    (folder / "history.jsonl").unlink(), (folder / "environment.json").unlink()
    words = page_words(folder)
    assert "before curves were kept" in words and "before versions and machine were kept" in words


@pytest.mark.parametrize("content", ["{", [], {"cycles_by_operator": "many"}, {"samples": "x"}])
def test_a_damaged_record_of_a_board_is_one_sentence(tmp_path: Path, content: Any) -> None:
    folder = make_run(tmp_path / "run")
    damage(folder / "deployments" / "stm32f746-virtual.json", content)
    with pytest.raises(RunError, match=r"stm32f746-virtual"):
        read_page(folder)


@pytest.mark.parametrize("name", ["result.json", "winner.json"])
def test_a_record_without_its_fields_is_one_sentence(tmp_path: Path, name: str) -> None:
    folder = make_run(tmp_path / "run", "result" if name == "result.json" else "chosen")
    damage(folder / name, {"accuracy_float": 1})
    with pytest.raises(RunError, match=name):
        read_page(folder)


@pytest.mark.parametrize("name", ["result.json", "deployments/stm32f746-virtual.json"])
def test_show_names_a_record_without_its_fields(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "run")
    damage(folder / name, {})
    assert main(["show", str(folder)]) == 1
    assert f"'{name}' of the run is damaged" in capsys.readouterr().err


def test_records_of_long_ago_and_boards_that_tell_little(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    little = {"board": "stm32f746", "times": "measured", "arena_bytes": {"board": 500}, "latency_ms": None}
    damage(folder / "deployments" / "stm32f746-virtual.json", little)
    (each,) = read_page(folder).deployed
    assert each.measured is None and isinstance(each.layers, Missing)
    assert [(row.name, row.board) for row in each.memories] == [("network's arena", 500)]
    assert "was not asked for the cycles" in page_words(folder)


def test_a_board_that_runs_other_operators_is_not_matched_with_blocks(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    damage(
        folder / "deployments" / "x.json", deployment() | {"operators": ["ADD"], "cycles_by_operator": [5]}
    )
    pictures_of(read_page(folder))["cycles-x"].draw()
    page_words(folder)


def test_networks_measured_during_the_search_stand_beside_their_predictions(tmp_path: Path) -> None:
    asked = {"latency_ms": 30.0, "measure_every": 1, "measure_on": "virtual", "optimize": "speed"}
    folder = make_run(tmp_path / "run", "chosen", **asked)
    journal = TimingJournal(folder / "measurements.jsonl")
    journal.append(Timing(0, GENOTYPES[1], modelled_ms=8.0, corrected_ms=8.0, measured_ms=10.0))
    page = read_page(folder)
    pictures_of(page)["timings"].draw()
    assert [each["measured_ms"] for each in plain(page)["timings"]] == [10.0]
    words = page_words(folder)
    assert "Hardware in the loop" in words and "-20.0 %" in words and "30 ms at most" in words


def test_what_was_measured_during_the_search_is_no_prediction(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", latency_ms=30.0, latency_model="modelled, +-15 %")
    damage(folder / "result.json", result() | {"latency_ms": 10.0, "latency_label": "run on the board"})
    journal = TimingJournal(folder / "measurements.jsonl")
    journal.append(Timing(0, GENOTYPES[0], modelled_ms=12.0, corrected_ms=11.0, measured_ms=10.0))
    page = read_page(folder)
    assert page.predicted is not None and page.predicted.latency_ms == 11.0
    assert page.predicted.source == "modelled, +-15 %; corrected by networks run before it"
    (each,) = page.deployed
    assert each.predicted == page.predicted


@pytest.mark.parametrize("other", [{"board": "stm32f412"}, {"optimize": "speed"}])
def test_other_boards_and_goals_have_predictions_of_their_own(tmp_path: Path, other: dict[str, str]) -> None:
    folder = make_run(tmp_path / "run")
    own = read_page(folder)
    goals = [{"optimize": "ram", "modelled_ms": 60.0}, {"optimize": "speed", "modelled_ms": 40.0}]
    damage(folder / "deployments" / "x.json", deployment() | {"optimize": "ram", "goals": goals} | other)
    there = next(each for each in read_page(folder).deployed if each.name == "x")
    assert there.predicted is not None and there.predicted.latency_ms == (
        40.0 if "optimize" in other else 60.0
    )
    rows = {
        each.name: operator_rows(own.network, each.layers, own.modelled)
        for each in (*own.deployed, there)
        if not isinstance(each.layers, Missing)
    }
    assert all(row.modelled for row in rows["stm32f746-virtual"])
    assert [row.modelled for row in rows["x"]] == [None] * len(rows["x"])
    damage(folder / "deployments" / "x.json", deployment() | other)
    assert next(each for each in read_page(folder).deployed if each.name == "x").predicted is None


def test_the_network_is_planned_for_the_goal_it_was_searched_for(tmp_path: Path, page: RunPage) -> None:
    fast = read_page(make_run(tmp_path / "run", "chosen", optimize="speed")).network
    assert not isinstance(fast, Missing) and not isinstance(page.network, Missing)
    assert fast.plan is not None and page.network.plan is not None
    assert fast.plan.kernels != page.network.plan.kernels
    with pytest.raises(RunError, match=r"request\.json"):
        read_page(make_run(tmp_path / "other", "chosen", optimize="beauty"))


HOSTILE = "<script>alert(1)</script>\"'&amp;<img src=x onerror=alert(2)>"


@pytest.mark.slow
def test_nothing_of_a_run_is_taken_as_markup(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "<script>alert('name')", data=HOSTILE, backend=HOSTILE, supernet=HOSTILE)
    record = deployment() | {"board": HOSTILE, "times": HOSTILE, "compiler": HOSTILE}
    record["operators"] = [HOSTILE for _ in record["operators"]]
    damage(folder / "deployments" / "stm32f746-virtual.json", record)
    damage(folder / "environment.json", [{HOSTILE: HOSTILE, "packages": {HOSTILE: HOSTILE}}])
    (folder / "history.jsonl").unlink()
    train(folder / "history.jsonl", HOSTILE, 5)
    reader = _Reader(page_text(folder))
    assert "script" not in reader.elements and "img" not in reader.elements
    assert HOSTILE in "".join(reader.words) and "<script>alert('name')" in reader.words


@pytest.mark.slow
def test_the_page_needs_nothing_else_and_is_always_the_same(finished: Path) -> None:
    text = page_text(finished)
    assert text == page_text(finished)
    reader = _Reader(text)
    outside = [a for a in reader.addresses if not a.startswith(("#", "data:"))]
    assert outside == [] and "@import" not in text and "url(http" not in text
    inside = {a[1:] for a in reader.addresses if a.startswith("#")} | set(
        re.findall(r"url\(#([^)]+)\)", text)
    )
    assert inside <= set(reader.ids)
    assert 'name="viewport"' in text and "prefers-color-scheme: dark" in text and "@media print" in text


@pytest.mark.slow
def test_the_command_writes_page_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run")
    assert main(["report", str(run), "-o", str(tmp_path / "page.html"), "--png", str(tmp_path / "png")]) == 0
    assert "page.html" in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert len(list((tmp_path / "png").glob("*.png"))) == 7
    assert not (run / "report.html").exists()
    assert main(["report", str(run)]) == 0 and (run / "report.html").stat().st_size > 50_000


def test_the_command_prints_the_same_as_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run")
    assert main(["report", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["result"]["accuracy_int8"] == 0.95
    assert found["network"]["genotype"] == GENOTYPES[0]
    assert [each["accuracy"] for each in found["front"]["front"]] == sorted(
        {each["accuracy"] for each in found["front"]["front"]}, reverse=True
    )
    assert [each["accuracy"] for each in found["front"]["candidates"]] == list(ACCURACIES)
    plan = found["network"]["plan"]
    assert plan["arena_bytes"] == found["network"]["sram_bytes"]
    assert max(each["bytes"] for each in plan["groups"]) <= plan["arena_bytes"]
    assert [each["operator"] for each in plan["operators"]] == found["modelled"]["operators"]
    assert np.isclose(found["evolution"]["generations"][-1]["best_yet"], max(ACCURACIES))
    assert not (run / "report.html").exists()


def test_another_suffix_or_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(make_run(tmp_path / "run")), "-o", "page.pdf"]) == 2
    assert main(["report", str(tmp_path / "rum")]) == 2
    assert main(["report", str(tmp_path / "run"), "--png", str(tmp_path / "run" / "request.json")]) == 2
    errors = capsys.readouterr().err
    assert (
        "must end in .html" in errors
        and "name a folder for the pictures" in errors
        and "did you mean" in errors
    )


def test_every_colour_of_a_picture_has_one_in_each_theme() -> None:
    css = resources.files("tinynas.report").joinpath("templates/run.css").read_text()
    themes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(themes) == 3  # light, dark, print
    for theme in themes:
        assert set(THEMED.values()) <= set(re.findall(r"--(\w+):", theme))
    colours = {value for name, value in vars(style).items() if name.isupper() and isinstance(value, str)}
    assert colours == set(THEMED)


@pytest.mark.parametrize("runtime", ["tflm", "live"])
def test_a_runtime_without_plans_has_no_picture_of_them(tmp_path: Path, runtime: str) -> None:
    folder = make_run(tmp_path / "run", "chosen", runtime=runtime)
    page, words = read_page(folder), page_words(folder)
    assert not isinstance(page.network, Missing) and page.network.plan is None
    assert "memory" not in pictures_of(page) and isinstance(page.modelled, Missing)
    assert f"There is no plan by rows for the {runtime} runtime" in words
    assert f"No model tells the time of the {runtime} runtime" in words


def test_a_board_that_is_not_known_here_is_said(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "chosen", board="mine")
    assert "cannot be looked at here" in page_words(folder)


def test_the_first_network_alone_can_be_drawn(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", "space")
    with open_run(folder, REQUEST) as run:
        run.journal.append(candidates()[0])
    train(folder / "history.jsonl", "largest network", 40, done=1)
    found = pictures_of(read_page(folder))
    for name in ("training", "evolution", "front", "network"):
        assert found[name].svg().startswith("<svg ")


def test_a_label_says_modelled_once() -> None:
    assert as_modelled("modelled, +-15 %; by the virtual board") == "modelled, +-15 %; by the virtual board"
    assert as_modelled("measured on 40 networks") == "modelled, measured on 40 networks"
