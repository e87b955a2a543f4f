"""The run folder: one request, one process, files whole or absent, and every trouble in one sentence."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_search import Scorer, ToySpace, toy_limits

from tinynas.errors import RequestError, RunError
from tinynas.search import (
    CANDIDATES,
    RESULT,
    SPACE,
    RandomSearch,
    default_run_path,
    is_run,
    open_run,
    read_run,
    search,
)

REQUEST: dict[str, object] = {
    "board": "stm32f746",
    "sram_bytes": 327680,
    "data": "digits",
    "seed": 0,
    "effort": {"population": 100, "resolutions": (8, 16)},
}


def test_the_request_is_written_first_and_met_again(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    with open_run(folder, REQUEST) as run:
        assert json.loads((folder / "request.json").read_text())["effort"]["resolutions"] == [8, 16]
        assert run.path == folder
    with open_run(str(folder), REQUEST):
        assert is_run(folder)


def test_another_request_is_refused_by_the_fields_that_differ(tmp_path: Path) -> None:
    with open_run(tmp_path, REQUEST):
        pass
    other = REQUEST | {"seed": 1, "effort": {"population": 50}, "latency_ms": 20}
    with pytest.raises(RunError) as caught, open_run(tmp_path, other):
        pytest.fail("a run of another request was opened")
    for part in (
        "seed: 0 there, 1 here",
        "effort.population: 100 there, 50 here",
        "effort.resolutions: [8, 16] there, nothing here",
        "latency_ms: nothing there, 20 here",
        "--run",
    ):
        assert part in str(caught.value)
    assert "board" not in str(caught.value)
    assert json.loads((tmp_path / "request.json").read_text())["seed"] == 0


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open_run(tmp_path, REQUEST):
                os.write(writer, b"!")
                signal.pause()
        finally:
            os._exit(1)
    assert os.read(reader, 1) == b"!"
    try:
        with pytest.raises(RunError, match="another tinynas works in"), open_run(tmp_path, REQUEST):
            pytest.fail("two processes hold one run")
        assert read_run(tmp_path).request["seed"] == 0, "looking at a run at work is allowed"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
    with open_run(tmp_path, REQUEST):
        pass


def test_the_same_process_cannot_hold_a_run_twice(tmp_path: Path) -> None:
    refused = pytest.raises(RunError, match="another tinynas works")
    with open_run(tmp_path, REQUEST), refused, open_run(tmp_path, REQUEST):
        pytest.fail("held twice")


def test_a_path_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    others = tmp_path / "photos"
    others.mkdir()
    (others / "cat.png").write_bytes(b"cat")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for path, said in [
        (file, "is a file"),
        (file / "run", "something is in its way"),
        (others, "holds other things, such as 'cat.png'"),
        (link, "link to nowhere"),
    ]:
        with pytest.raises(RunError, match=said), open_run(path, REQUEST):
            pytest.fail("opened")
    assert file.read_text() == "mine"
    assert [p.name for p in others.iterdir()] == ["cat.png"]


def test_what_a_kill_leaves_of_the_first_moments_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".partial-request.json").write_text('{"boa')
    with open_run(tmp_path, REQUEST) as run:
        assert run.read_json("request.json")["board"] == "stm32f746"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "request.json"]


def test_artefacts_are_whole_or_absent(tmp_path: Path) -> None:
    with open_run(tmp_path, REQUEST) as run:
        run.write_json("space.json", {"width": 0.5})
        with pytest.raises(ValueError, match="half way"), run.writing("plots/space.svg") as partial:
            partial.write_text("<svg")
            assert partial.suffix == ".svg"
            assert not run.has("plots/space.svg")
            raise ValueError("half way")
        assert not run.has("plots/space.svg")
        with pytest.raises(TypeError):
            run.write_json("space.json", {"width": object()})
        assert run.read_json("space.json") == {"width": 0.5}
        assert run.write_text("plots/space.svg", "<svg/>").read_text() == "<svg/>"
        assert run.write_bytes("net.tflite", b"\0\1").read_bytes() == b"\0\1"
        assert not list(tmp_path.rglob(".partial-*"))


def test_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    with open_run(tmp_path, REQUEST) as run:
        run.write_text("weights.h5", "old")
    child = os.fork()
    if child == 0:
        with open_run(tmp_path, REQUEST) as run, run.writing("weights.h5") as partial:
            partial.write_text("ne")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with open_run(tmp_path, REQUEST) as run:
        assert (tmp_path / "weights.h5").read_text() == "old"
        run.write_text("weights.h5", "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "request.json", "weights.h5"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "no space left on the disk of .*space.json': free some and run the same"),
        (errno.EDQUOT, "no space left"),
        (errno.EACCES, "may not be used .*permission denied"),
        (errno.EROFS, "may not be used .*read-only file system"),
        (errno.EIO, "cannot be read or written .*input/output error"),
    ],
)
def test_disk_troubles_are_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with open_run(tmp_path, REQUEST) as run:
        run.write_json(SPACE, 1)
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(RunError, match=said):
            run.write_json(SPACE, 2)
        monkeypatch.undo()
        assert run.read_json(SPACE) == 1


def test_a_disk_that_fills_within_a_line_costs_only_that_line(tmp_path: Path) -> None:
    def work(scorer: Scorer) -> Any:
        with open_run(tmp_path / "run", REQUEST) as run:
            return search(
                ToySpace(), RandomSearch(evaluations=30), toy_limits(), scorer, seed=0, journal=run.journal
            )

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # a real refusal by the system, in the middle of a line
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
        try:
            work(Scorer())
        except RunError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    os.close(writer)
    assert "candidates.jsonl' cannot be read or written (file too large)" in said
    journal = tmp_path / "run" / CANDIDATES
    assert journal.stat().st_size == 1500
    complete = journal.read_bytes().count(b"\n")
    scorer = Scorer()
    assert len(work(scorer).candidates) == 30
    assert len(scorer.scored) == 30 - complete


def test_a_system_without_locks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RunError, match="no locks available"), open_run(tmp_path, REQUEST):
        pytest.fail("opened without a lock")


def test_default_path_is_readable_and_tells_requests_apart() -> None:
    path = default_run_path(REQUEST)
    assert path == default_run_path(dict(reversed(REQUEST.items())))
    assert str(path).startswith("runs/stm32f746-320k-digits-s0-")
    others = [
        default_run_path(REQUEST | change)
        for change in ({"effort": "quick"}, {"flash_bytes": 1}, {"data": "/a/digits"}, {"data": "/b/digits"})
    ]
    assert len({path, *others}) == 5
    odd = default_run_path({"board": "My/Odd Board.json", "sram_bytes": 1001, "data": "../Cats & dogs.npz"})
    assert odd.name.startswith("odd-board-1001b-cats-dogs-")


@given(name=st.text(max_size=60))
def test_default_path_is_one_plain_folder_name(name: str) -> None:
    path = default_run_path({"board": name, "data": name, "seed": 1}, root="r")
    assert path.parent == Path("r")
    assert set(path.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(path.name) < 120 and not path.name.startswith(".")


def test_a_run_is_summed_up_at_every_stage(tmp_path: Path) -> None:
    with open_run(tmp_path, REQUEST) as run:
        fresh = read_run(tmp_path)
        assert (fresh.space, fresh.candidates, fresh.best, fresh.result) == (None, (), None, None)
        run.write_json(SPACE, {"width": 0.5})
        outcome = search(
            ToySpace(), RandomSearch(evaluations=20), toy_limits(), Scorer(), seed=0, journal=run.journal
        )
        midway = read_run(tmp_path)
        assert midway.space == {"width": 0.5}
        assert len(midway.candidates) == 20
        assert midway.best is not None and midway.best.genotype == outcome.best.genotype
        assert outcome.best.genotype in {candidate.genotype for candidate in midway.front}
        assert not midway.is_done
        run.write_json(RESULT, {"accuracy_int8": 0.9})
    done = read_run(tmp_path)
    assert done.is_done and done.result == {"accuracy_int8": 0.9}


def test_looking_for_an_absent_run_suggests_one(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="start one with tinynas search"):
        read_run(tmp_path / "digits")
    with open_run(tmp_path / "digits", REQUEST):
        pass
    with pytest.raises(RequestError, match=r"did you mean '.*/digits'"):
        read_run(tmp_path / "digit")


def test_a_damaged_request_is_named(tmp_path: Path) -> None:
    for content in ("{", "[]"):
        (tmp_path / "request.json").write_text(content)
        with pytest.raises(RunError, match=r"request\.json' is damaged"), open_run(tmp_path, REQUEST):
            pytest.fail("opened")
        with pytest.raises(RunError, match=r"request\.json' is damaged"):
            read_run(tmp_path)
    (tmp_path / "request.json").write_text("{}")
    (tmp_path / "times.json").write_text("[1]")
    with pytest.raises(RunError, match=r"times\.json' is damaged"):
        read_run(tmp_path)
