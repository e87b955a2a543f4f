"""Another point of a run's front: who is taken, who is refused, and that nothing is made twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_search import BOARD, REQUEST, Guard
from test_deploy import needs_board

from tinynas.board import Board, Budget, make_budget
from tinynas.cli.main import main
from tinynas.engine.goals import Goal
from tinynas.errors import RequestError, RunError, ToolchainError
from tinynas.pipeline.deploy_stage import Onto
from tinynas.pipeline.pick import Pick, _announcement, _made, choose, export_front, export_pick
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.session import Session
from tinynas.pipeline.subject import find_subject
from tinynas.pipeline.target import VirtualTarget
from tinynas.search import Candidate, Footprint, Origin, open_run, read_run
from tinynas.search.run_folder import CANDIDATES, CHOSEN, MODEL, RESULT

ROOMY = Budget(10**6, 10**6)


def _run(folder: Path, points: list[tuple[float, int, int, float | None]], done: bool = True) -> Path:
    """A run that scored networks of these accuracies, SRAM, flash and times."""
    with open_run(folder, REQUEST.to_dict()) as run:
        for index, (accuracy, sram, flash, time) in enumerate(points):
            footprint = Footprint(100 + index, 10, sram, flash, time)
            run.journal.append(Candidate(f"net {index}", {}, accuracy, footprint, 0, Origin.RANDOM))
        if done:
            run.write_json(CHOSEN, {"genotype": "net 0"})
    return folder


FEW = st.integers(1, 5)


@given(
    points=st.lists(st.tuples(FEW, FEW, FEW, FEW), min_size=1, max_size=12),
    budget=st.tuples(FEW, FEW, st.none() | FEW),
)
@settings(max_examples=40, deadline=None)
def test_the_one_taken_is_the_most_accurate_of_all_within(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[int, int, int, int]], budget: Any
) -> None:
    folder = _run(tmp_path_factory.mktemp("pick") / "run", [(a / 10, s, f, t) for a, s, f, t in points])
    sram, flash, time = budget
    within = [a / 10 for a, s, f, t in points if s <= sram and f <= flash and (time is None or t <= time)]
    asked = Budget(sram, flash, None if time is None else float(time))
    if within:
        pick = choose(folder, asked)
        assert pick.members[0].accuracy == max(within)
        assert all(member.footprint.sram_bytes <= sram for member in pick.members)
    else:
        with pytest.raises(RequestError, match="the nearest needs"):
            choose(folder, asked)


def test_what_cannot_be_picked_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"is not over \(searching\)"):
        choose(_run(tmp_path / "open", [(0.5, 1, 1, 1.0)], done=False), ROOMY)
    untimed = _run(tmp_path / "untimed", [(0.5, 1, 1, 1.0), (0.6, 1, 1, None)])
    assert choose(untimed, ROOMY).members[0].accuracy == 0.6
    with pytest.raises(RequestError, match="does not know how long"):
        choose(untimed, replace(ROOMY, latency_ms=3.0))
    with pytest.raises(RequestError, match="not the folder of a run"):
        choose(tmp_path / "nothing", ROOMY)
    (untimed / CANDIDATES).write_text("")
    with pytest.raises(RunError, match=r"no network in candidates\.jsonl any more"):
        choose(untimed, ROOMY)


def test_a_request_without_its_board_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = _run(tmp_path / "run", [(0.5, 1, 1, 1.0)])
    (run / "request.json").write_text("{}")
    assert main(["pick", str(run), "--list"]) == 1
    assert "'request.json' of the run is damaged" in capsys.readouterr().err


def test_a_recorded_request_comes_back(tmp_path: Path) -> None:
    timed = replace(
        REQUEST,
        budget=make_budget(REQUEST.board, "8k", "72k", latency="30ms"),
        objective="mnasnet-soft",
        strategy="nsga2",
        supernet=tmp_path,
        goal=Goal.SPEED,
        measure_every=2,
        measure_on="virtual",
    )
    for request in (REQUEST, timed):
        assert SearchRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request
    with pytest.raises(RunError, match="damaged"):
        SearchRequest.from_dict({"board": "stm32f746"})


def test_the_command_lists_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(_run(tmp_path / "run", [(0.9, 4000, 9000, 20.0), (0.8, 3000, 9000, 10.0)]))
    assert main(["pick", run, "--latency", "15ms", "--list"]) == 0
    assert capsys.readouterr().out.endswith("1 of 2 networks on the front are within\n")
    assert main(["pick", run, "--fps", "80", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [member["within"] for member in found["front"]] == [False, True]
    assert (found["latency_budget_ms"], found["sram_budget_bytes"], found["picked"]) == (12.5, 8192, None)
    assert main(["pick", run, "--latency", "5ms", "--list"]) == 2
    assert "the nearest needs" in capsys.readouterr().err


@pytest.mark.slow
def test_a_pick_is_trained_and_exported_once(
    finished: tuple[Path, Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, summary = finished[0], read_run(finished[0])
    assert summary.result is not None
    own = choose(folder, REQUEST.budget)
    assert export_pick(own, Guard())["folder"] == str(folder), "the winner is there already"
    others = [member for member in own.front if member.genotype != summary.result["genotype"]]
    other = min(others or summary.candidates, key=lambda member: member.footprint.sram_bytes)
    pick = replace(own, front=(other,))
    before = (folder / "times.json").read_bytes()
    result = export_pick(pick, Guard())
    place = Path(result["folder"])
    assert place.parent == folder / "picks" and (place / MODEL).stat().st_size == result["model_bytes"]
    assert (result["genotype"], result["searched"]["accuracy"]) == (other.genotype, other.accuracy)
    assert result["sram_bytes"] <= REQUEST.budget.sram_bytes and result["test_pictures"] == 360
    assert (folder / "times.json").read_bytes() == before

    def never(*_arguments: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr("tinynas.pipeline.pick.export_winner", never)
    assert export_pick(pick, Guard()) == result


@pytest.mark.slow
def test_the_whole_front_is_exported_but_for_what_does_not_fit_as_a_file(
    finished: tuple[Path, Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    two, watch = _winner_and_another(finished[0]), Guard()
    made = export_front(two, watch)
    assert [each["genotype"] for each in made] == [member.genotype for member in two.members]
    assert made[0]["folder"] == str(finished[0]) and "of 2 networks to fine-tune and export" in watch.notes[0]
    assert all((Path(each["folder"]) / MODEL).is_file() for each in made)

    # what is there is not asked about again; what is not, and is too large, is left out
    lost = Path(made[1]["folder"]) / RESULT
    kept = lost.read_bytes()
    lost.unlink()
    monkeypatch.setattr("tinynas.pipeline.pick.fits_as_file", lambda _session, _member: False)
    again = Guard()
    assert export_front(two, again) == made[:1]
    assert "left out" in again.notes[-1]
    lost.write_bytes(kept)


@needs_board
@pytest.mark.slow
def test_a_pick_is_deployed_as_a_run_is(
    finished: tuple[Path, Guard], monkeypatch: pytest.MonkeyPatch
) -> None:
    two = _winner_and_another(finished[0])
    other = replace(two, front=two.front[1:])
    onto = Onto(VirtualTarget(), 3)
    result = export_pick(other, Guard(), onto=onto)
    found = result["deployment"]
    assert (found["samples"], found["wrong_samples"]) == (3, 0) and found["optimize"] == "ram"
    assert found["arena_bytes"]["predicted"] == found["arena_bytes"]["board"]
    folder = Path(result["folder"])
    assert folder.parent == finished[0] / "picks" and Path(found["elf"]).is_relative_to(folder)
    assert json.loads((folder / "deployments" / "stm32f746-virtual.json").read_text()) == found

    # and by itself later, within the budget it was picked for
    subject = find_subject(folder, BOARD, 3)
    assert subject.sha256 == found["model_sha256"] and subject.plan.arena == found["arena_bytes"]["board"]
    assert subject.aim.constants is not None and subject.aim.constants <= other.budget.flash_bytes

    def never(*_arguments: object) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr("tinynas.pipeline.deploy_stage.deploy", never)
    watch = Guard()
    assert export_pick(other, watch, onto=onto) == result and "deployed already" in watch.notes[-1]


def test_what_is_in_the_way_of_a_deployment_is_said_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(VirtualTarget):
        def require(self, board: Board) -> None:
            raise ToolchainError("unicorn is not installed")

    def training(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinynas.pipeline.pick._export", training)
    pick, watch, unused = choose(_run(tmp_path / "run", [(0.9, 4000, 9000, 20.0)]), ROOMY), Guard(), None
    session = Session(REQUEST, unused, unused, watch)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        _made(pick, session, pick.members[0], Onto(Gone(), 3))
    (note,) = watch.notes
    assert "could not be deployed: unicorn is not installed" in note


def _winner_and_another(run: Path) -> Pick:
    """The winner of that run, and of the others the one with least SRAM, as if they were its front."""
    own, summary = choose(run, REQUEST.budget), read_run(run)
    assert summary.result is not None
    winner = next(c for c in summary.candidates if c.genotype == summary.result["genotype"])
    rest = [member for member in summary.candidates if member.genotype != winner.genotype]
    return replace(own, front=(winner, min(rest, key=lambda member: member.footprint.sram_bytes)))


def test_exporting_all_says_before_how_long_it_takes(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", [(0.9, 4000, 9000, 20.0), (0.8, 3000, 9000, 10.0), (0.7, 2000, 9000, 5.0)])
    assert _announcement(choose(run, ROOMY)) == "3 of 3 networks to fine-tune and export"
    (run / "times.json").write_text('{"fine-tuning": 50.0, "export and verification": 10.0, "search": 9.0}')
    (run / RESULT).write_text('{"genotype": "net 0"}')
    (run / MODEL).touch()
    assert _announcement(choose(run, ROOMY)) == (
        "2 of 3 networks to fine-tune and export, about 2 min 00 s by what the run's winner took"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--virtual", "--port", "/dev/x"], "use one of them"), (["--deploy-samples", "3"], "add --port or")],
)
def test_a_pick_onto_no_board_or_two_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    run = str(_run(tmp_path / "run", [(0.9, 4000, 9000, 20.0)]))
    assert main(["pick", run, *words]) == 2
    assert said in capsys.readouterr().err
