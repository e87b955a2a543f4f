"""The board in the loop over a true serial port: built, flashed, measured; unplugged, plugged in, killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench_board import ROOT, Bench, until
from small_search import NUMBERS, Guard
from test_deploy import needs_board

from tinynas.pipeline.effort import SUPERNET
from tinynas.search import read_run

PAUSED, BACK, MEASURED = "paused: ", "the board is back", "were predicted"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A board that is plugged in."""
    board = Bench(tmp_path / "bench", "stm32f746")
    board.set_up()
    yield board
    board.unplug()


@dataclass
class Search:
    """A search as a process of its own, which takes the supernet of another run."""

    folder: Path
    supernet: Path
    bench: Bench
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, or go on."""
        own = {name: value for name, value in NUMBERS.items() if name not in SUPERNET | {"samples"}}
        numbers = [word for name, value in own.items() for word in (f"--{name.replace('_', '-')}", value)]
        words = ["search", "--board", "stm32f746", "--sram", "8k", "--flash", "72k", "--data", "digits"]
        words += [*map(str, numbers), "--run", str(self.folder), "--supernet", str(self.supernet)]
        words += ["--port", str(self.bench.port), "--measure-every", "2", "--deploy-samples", "3"]
        path = os.pathsep.join([str(self.bench.tools), os.environ["PATH"]])
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tinynas", *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder.with_name("log")

    def count(self, words: str) -> int:
        """How often it said so since it was started."""
        return " ".join(self.log.read_text().split()).count(words)

    def says(self, words: str, times: int = 1) -> None:
        """Wait until it has said so."""
        self.wait_for(lambda: self.count(words) >= times, f"{words!r}, {times} times,")

    def opens_the_port(self) -> None:
        """Wait until it talks to the board."""
        assert self.process is not None
        self.wait_for(lambda: self.bench.is_opened_by(self.process.pid), "opening the port")  # type: ignore[union-attr]

    def wait_for(self, happened: object, what: str) -> None:
        try:
            until(lambda: happened() or self._over, 120, what)  # type: ignore[operator]
        except TimeoutError as late:
            raise AssertionError(f"{late}: {self.log.read_text()}") from late
        assert happened(), self.log.read_text()  # type: ignore[operator]

    @property
    def _over(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """At once, if it still runs."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()

    def end(self) -> int:
        """Its exit status."""
        assert self.process is not None
        return self.process.wait(240)


@pytest.fixture
def search(finished: tuple[Path, Guard], tmp_path: Path, bench: Bench) -> Iterator[Search]:
    """Not started yet."""
    made = Search(tmp_path / "run", finished[0], bench)
    yield made
    made.kill()


@needs_board
@pytest.mark.slow
def test_a_board_that_is_unplugged_pauses_the_search_until_it_is_back(search: Search, bench: Bench) -> None:
    search.start()
    search.says(MEASURED)
    search.opens_the_port()
    bench.unplug()
    search.says(f"{PAUSED}the board on {bench.port} was unplugged")
    failed = bench.writes.count("failed")
    until(lambda: bench.writes.count("failed") > failed + 1, what="two more attempts")
    assert search.count(PAUSED) == 1 and search.count(BACK) == 0
    bench.plug()
    search.says(BACK)
    search.says(MEASURED, times=2)

    # gone again, and the search itself is killed while it waits
    bench.unplug()
    search.says(PAUSED, times=2)
    known = read_run(search.folder).timings
    search.kill()
    search.start()
    search.says(PAUSED)
    assert read_run(search.folder).timings == known
    bench.plug()
    assert search.end() == 0, search.log.read_text()
    assert search.count(PAUSED) == search.count(BACK) == 1

    run = read_run(search.folder)
    measured = [timing.genotype for timing in run.timings]
    assert run.timings[: len(known)] == known and len(known) < len(measured) == len(set(measured))
    assert run.result is not None and run.result["genotype"] in measured
    assert bench.writes.count("written") >= len(measured) + 1
    deployed = json.loads((search.folder / "deployments" / "stm32f746.json").read_text())
    assert (deployed["port"], deployed["times"], deployed["wrong_samples"]) == (
        str(bench.port),
        "measured",
        0,
    )
