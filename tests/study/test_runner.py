"""Studies with a trainer that takes no time: any workers, killed anywhere, give one and the same table."""

from __future__ import annotations

import errno
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from study_fakes import FakeTrainer, Mortal, fake_error, samples

from tinynas.errors import RequestError, RunError
from tinynas.search.run_folder import STUDIED, open_run
from tinynas.study.executors import Executor, ProcessExecutor, RayExecutor
from tinynas.study.folder import TABLE, Study, keep_networks, read_study
from tinynas.study.record import Outcome, Record, Sampled
from tinynas.study.runner import Trainer, continue_study

TRAINER = FakeTrainer()
REQUEST = {"kind": "study", "seed": 0}
WHOLE = [
    (network.key, network.genotype, fake_error(network.genotype))
    for networks in samples().values()
    for network in networks
]


def _study(
    folder: Path, executor: Executor, trainer: Trainer = TRAINER, seen: list[int] | None = None
) -> Study:
    def on_record(record: Record, done: int, total: int) -> None:
        assert total == len(WHOLE)
        if seen is not None:
            seen.append(done)

    with open_run(folder, REQUEST) as run:
        if not run.has(STUDIED):
            keep_networks(run, chain.from_iterable(samples().values()))
        return continue_study(run, trainer, executor, on_record)


def _table(study: Study) -> list[tuple[tuple[str, int], str, float]]:
    return [(r.network.key, r.network.genotype, r.outcome.error) for r in study.records]


def test_a_study_is_trained_once_and_tabled(tmp_path: Path) -> None:
    seen: list[int] = []
    study = _study(tmp_path, ProcessExecutor(1), seen=seen)
    assert _table(study) == WHOLE
    assert study.is_done and study.spaces == ["narrow", "wide"]
    assert seen == list(range(1, len(WHOLE) + 1))
    # spaces take turns, so that a study stopped early has as much of each
    first = [line.split('"')[3] for line in (tmp_path / TABLE).read_text().splitlines()[:4]]
    assert first == ["narrow", "wide", "narrow", "wide"]
    content = (tmp_path / TABLE).read_bytes()
    assert _table(_study(tmp_path, ProcessExecutor(1), trainer=_untouched)) == WHOLE
    assert (tmp_path / TABLE).read_bytes() == content


def _untouched(network: Sampled) -> Outcome:
    raise AssertionError("trained again")


def test_killed_workers_lose_nothing(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    trainer = Mortal(marks, (("narrow", 1), ("wide", 3)), times=2)
    assert _table(_study(tmp_path / "study", ProcessExecutor(2), trainer)) == WHOLE
    assert len(list(marks.iterdir())) == 2


def test_workers_are_replaced_before_they_grow_large(tmp_path: Path) -> None:
    executor = ProcessExecutor(1, most_items=3)
    processes = [process for _, process in executor.run(_with_process, range(8))]
    assert [processes.count(each) for each in dict.fromkeys(processes)] == [3, 3, 2]


def _with_process(item: int) -> tuple[int, int]:
    return item, os.getpid()


def test_workers_that_die_forever_are_given_up(tmp_path: Path) -> None:
    trainer = Mortal(tmp_path, (("narrow", 2),), times=1000)
    with pytest.raises(RunError, match=r"killed 3 times in a row.*fewer --workers"):
        _study(tmp_path / "study", ProcessExecutor(1), trainer)
    half = read_study(tmp_path / "study")
    assert 0 < len(half.records) < len(WHOLE)
    assert _table(_study(tmp_path / "study", ProcessExecutor(1))) == WHOLE


def test_an_error_of_the_trainer_arrives_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="of this trainer"):
        _study(tmp_path, ProcessExecutor(1), _failing)


def _failing(network: Sampled) -> Outcome:
    raise RunError("a sentence of this trainer")


def test_a_full_disk_is_said_and_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.fsync
    calls = [0]

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > 8:  # the request, the networks, a few lines
            raise OSError(errno.ENOSPC, "No space left on device")
        written(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"no space left on the disk.*nothing finished so far is lost"):
        _study(tmp_path, ProcessExecutor(1))
    monkeypatch.undo()
    assert len(read_study(tmp_path).records) < len(WHOLE)
    assert _table(_study(tmp_path, ProcessExecutor(1))) == WHOLE


SLOW_STUDY = """
import signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from study_fakes import FakeTrainer
from test_runner import _study
from tinynas.study.executors import ProcessExecutor

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    _study(Path({folder!r}), ProcessExecutor({workers}), FakeTrainer(seconds=0.3))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_killed_at_any_moment_goes_on_to_the_same_table(tmp_path: Path, workers: int) -> None:
    folder, script = tmp_path / "study", tmp_path / "script.py"
    script.write_text(SLOW_STUDY.format(path=sys.path, folder=str(folder), workers=workers))
    table = folder / TABLE
    for lines, end in ((1, signal.SIGINT), (3, signal.SIGKILL)):
        process = subprocess.Popen(
            [sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL
        )
        while not table.exists() or table.read_bytes().count(b"\n") < lines:
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, end) if end is signal.SIGINT else process.send_signal(end)
        process.wait()
        assert not _survivors(process.pid)
    with table.open("ab") as file:
        file.write(b'{"space": "nar')  # what a kill leaves while writing
    assert len(read_study(folder).records) < len(WHOLE)
    assert _table(_study(folder, ProcessExecutor(workers))) == WHOLE


def _survivors(session: int, patience: float = 10.0) -> Sequence[str]:
    """Processes of the `session` that still live when patience is over: none may outlive its study."""
    until = time.monotonic() + patience
    while True:
        living = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                living.append(stat.parent.name)
        if not living or time.monotonic() > until:
            return living
        time.sleep(0.1)


@pytest.mark.slow
def test_a_local_ray_cluster_of_two_gives_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'tinynas[ray]'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # where Ray's workers find the fakes
    marks = tmp_path / "marks"
    marks.mkdir()
    trainer = Mortal(marks, (("wide", 0), ("narrow", 3)))
    assert _table(_study(tmp_path / "study", RayExecutor("local", workers=2), trainer)) == WHOLE
    assert len(list(marks.iterdir())) == 2
    with pytest.raises(RunError, match="of this trainer"):
        _study(tmp_path / "failing", RayExecutor("local", workers=2), _failing)
    with pytest.raises(RunError, match=r"no Ray cluster at '127.0.0.1:1'.*ray start --head"):
        _study(tmp_path / "nowhere", RayExecutor("127.0.0.1:1", workers=2))


def test_impossible_workers_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--workers is 0"):
        ProcessExecutor(0)
    with pytest.raises(RequestError, match="not the folder of a study"):
        read_study(tmp_path)
    _study(tmp_path / "study", ProcessExecutor(1))
    with (tmp_path / "study" / TABLE).open("a") as file:
        file.write('{"space": 1}\n')
    with pytest.raises(RunError, match=r"damaged in line 9 .*'space' is of the wrong kind"):
        read_study(tmp_path / "study")
