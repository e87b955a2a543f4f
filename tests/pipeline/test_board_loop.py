"""Hardware in the loop: corrections decide, killed runs decide alike, a board that is gone is waited for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path += [str(Path(__file__).resolve().parents[1] / room) for room in ("search", "device")]

from fake_board import FakeBoard, build, compiled, small_network
from toy_search import Scorer, ToyChoice, ToySpace, toy_limits

from tinynas.board import load_board
from tinynas.errors import DeviceError, FirmwareError, LinkError, PortError, RequestError, RunError
from tinynas.networks import Genotype
from tinynas.pipeline.bench import Trial
from tinynas.pipeline.board_loop import BoardLoop, Patience
from tinynas.pipeline.observer import Silent
from tinynas.pipeline.target import VirtualTarget
from tinynas.search import (
    CANDIDATES,
    Correction,
    Evolution,
    OneRung,
    Order,
    Outcome,
    ParetoEvolution,
    RunFolder,
    Strategy,
    Timing,
    by_domination,
    open_run,
    ranked,
    read_run,
    search_by_rungs,
)
from tinynas.search.run_folder import TIMINGS

REQUEST = {"board": "toy", "seed": 3, "sram_bytes": 10**9, "flash_bytes": 10**9, "latency_ms": 2.0}
STRATEGIES: dict[str, tuple[Strategy, Order]] = {
    "evolution": (Evolution(population=10, iterations=5, parents=4, crossover=4, mutation=4), ranked),
    "nsga2": (ParetoEvolution(population=10, iterations=5, crossover=4, mutation=4), by_domination),
}


@dataclass
class Board:
    """Takes `slower` times what the model says, but for one network in five; it may be unplugged."""

    slower: float = 1.5
    asked: list[str] = field(default_factory=list)
    gone: list[Exception] = field(default_factory=list)

    def __call__(self, genotype: Genotype) -> float:
        if self.gone:
            raise self.gone.pop(0)
        self.asked.append(str(genotype))
        channels = sum(block.channels for block in genotype.blocks)  # type: ignore[union-attr]
        odd = 3.0 if channels % 5 == 0 else 1.0
        return odd * self.slower * channels / 10


def space_of(choice: ToyChoice) -> Genotype:
    return ToySpace(4, 12).genotype(choice)


def _searched(folder: Path, board: Board, way: str) -> Outcome[ToyChoice]:
    strategy, order = STRATEGIES[way]
    with open_run(folder, REQUEST) as run:
        return _continued(run, board, strategy, order)


def _continued(run: RunFolder, board: Board, strategy: Strategy, order: Order) -> Outcome[ToyChoice]:
    limits = toy_limits(latency_ms=2.0)
    review = BoardLoop(
        prepare=lambda network: partial(board, network),
        limits=limits,
        journal=run.timings,
        watch=Silent(),
        every=2,
        order=order,
    )
    return search_by_rungs(
        ToySpace(4, 12), strategy, limits, OneRung(Scorer()), seed=3, journal=run.journal, review=review
    )


@pytest.mark.parametrize("way", STRATEGIES)
def test_the_winner_is_in_time_as_the_board_has_it(tmp_path: Path, way: str) -> None:
    board = Board()
    outcome = _searched(tmp_path / "run", board, way)
    winner = space_of(outcome.best.choice)
    assert str(winner) in board.asked and len(board.asked) == len(set(board.asked)) >= 3 * 3
    assert outcome.best.footprint.latency_ms == Board()(winner) <= 2
    late = [c for c in outcome.candidates if (c.footprint.latency_ms or 0) > 2]
    assert late and not any(c.fits for c in late), "scored before the board had been asked"
    summary = read_run(tmp_path / "run")
    generations = [t.generation for t in summary.timings]
    assert generations[:9] == [1, 1, 1, 3, 3, 3, 5, 5, 5] and set(generations[9:]) <= {5}
    assert [t.corrected_ms for t in summary.timings[:3]] == [t.modelled_ms for t in summary.timings[:3]]
    assert summary.timings[3].corrected_ms == pytest.approx(1.5 * summary.timings[3].modelled_ms)
    assert summary.best is not None and summary.best.genotype == outcome.best.genotype
    assert summary.best.footprint == outcome.best.footprint
    assert all(c.fits and (c.footprint.latency_ms or 0) <= 2 for c in summary.front)


@pytest.mark.parametrize("way", STRATEGIES)
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_a_run_cut_anywhere_decides_alike(
    tmp_path_factory: pytest.TempPathFactory, way: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("loop")
    whole = _searched(folder / "whole", Board(), way)
    kept = {name: (folder / "whole" / name).read_bytes() for name in (CANDIDATES, TIMINGS)}
    cut, board = data.draw(st.integers(0, len(kept[CANDIDATES]))), Board()
    scored = kept[CANDIDATES][:cut].count(b"\n")
    # what was measured before the last of those was scored is in the run, and perhaps half a line
    lines = kept[TIMINGS].splitlines(keepends=True)
    born = [c.generation for c in whole.candidates]
    reached = born[scored] if scored < len(born) else 99
    timings = b"".join(line for line in lines if int(line.split(b":")[1].split(b",")[0]) < reached)
    with open_run(folder / "cut", REQUEST) as run:
        run.write_bytes(CANDIDATES, kept[CANDIDATES][:cut])
        run.write_bytes(TIMINGS, timings + data.draw(st.sampled_from([b"", lines[0][:9]])))
    assert _searched(folder / "cut", board, way) == whole
    assert {name: (folder / "cut" / name).read_bytes() for name in kept} == kept
    assert len(board.asked) == len(lines) - timings.count(b"\n")


def test_no_network_in_time_as_the_board_has_it_is_said_with_its_time(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"and 2 ms an inference: of .* allow more time,"):
        _searched(tmp_path / "run", Board(slower=40.0), "evolution")


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Notes(Silent):
    """What is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_board_that_comes_back_is_waited_for() -> None:
    clock, notes = Clock(), Notes()
    # what unplugging looks like while measuring, to whoever opens the port, and to whoever writes firmware
    board = Board(gone=[LinkError("unplugged"), PortError("no port"), LinkError("could not be written")])
    network = ToySpace().genotype(ToyChoice((1, 1, 1), 0))
    patience = Patience(most=60, pause=7, now=clock.now, sleep=clock.sleep)
    assert patience.wait_for(lambda: board(network), notes) == pytest.approx(0.45)
    assert clock.time == 21
    assert len(notes.notes) == 2 and "unplugged" in notes.notes[0] and "Ctrl-C" in notes.notes[0]
    assert "is back" in notes.notes[1]


def test_a_board_that_stays_away_ends_the_search_and_loses_nothing() -> None:
    clock, notes = Clock(), Notes()

    def never() -> float:
        raise LinkError("unplugged")

    with pytest.raises(DeviceError, match=r"within 1 minutes.*the same command goes on") as failed:
        Patience(most=60, pause=7, now=clock.now, sleep=clock.sleep).wait_for(never, notes)
    assert clock.time == 63 and failed.value.exit_status == 1 and len(notes.notes) == 1


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (
            "a (b: c) ended (read failed: [Errno 5] d): connect it (again)",
            "a (b: c) ended (read failed: [Errno 5] d)",
        ),
        ("it ended: repeat: the command", "it ended"),
        ("it ended", "it ended"),
    ],
)
def test_a_pause_says_what_happened_and_not_what_else_could_be_done(gone: str, said: str) -> None:
    clock, notes, troubles = Clock(), Notes(), [LinkError(gone)]

    def work() -> None:
        if troubles:
            raise troubles.pop()

    Patience(now=clock.now, sleep=clock.sleep).wait_for(work, notes)
    assert notes.notes[0].startswith(f"paused: {said}; connect the board")


def test_other_troubles_and_the_user_are_not_waited_out() -> None:
    clock = Clock()
    for trouble in (KeyboardInterrupt(), DeviceError("keeps restarting")):
        with pytest.raises(type(trouble)):
            Patience(now=clock.now, sleep=clock.sleep).wait_for(
                lambda trouble=trouble: (_ for _ in ()).throw(trouble),
                Notes(),  # type: ignore[misc]
            )
    assert clock.time == 0


@dataclass(frozen=True)
class Elsewhere(VirtualTarget):
    """The probe writes one board, and the port is another's, on which `program` runs."""

    program: Path = Path()

    def flash(self, elf: Path, board: object) -> None:
        """Nothing comes here."""

    @contextmanager
    def connect(self, elf: Path | None, board: object) -> Iterator[FakeBoard]:  # type: ignore[override]
        line = FakeBoard(self.program)
        yield line
        line.close()


def test_times_of_another_firmware_than_was_written_are_refused(tmp_path: Path) -> None:
    built = build(small_network(), tmp_path / "lib", compile_with=lambda library: compiled(library, ()))
    trial = Trial(replace(load_board("stm32f746"), id="host"), tmp_path / "firmware.elf", "ab" * 32, 0)
    with pytest.raises(FirmwareError, match="holds another model"):
        trial.run_on(Elsewhere(program=built.program), layers=False)


@given(times=st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.5, 2)), min_size=3, max_size=9))
def test_one_odd_measurement_moves_the_correction_no_further_than_its_neighbours(
    times: list[tuple[float, float]],
) -> None:
    timings = [Timing(0, f"n{i}", t, t, t * ratio) for i, (t, ratio) in enumerate(times)]
    odd = [*timings[:-1], Timing(0, "odd", 1.0, 1.0, 1e6)]
    ratios = [t.measured_ms / t.modelled_ms for t in timings[:-1]]
    assert min(ratios) <= Correction.of(odd).factor <= max(ratios) + 1e-9
    assert Correction.of([]) == Correction()


def test_a_damaged_timing_is_named(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", REQUEST) as run:
        run.write_bytes(TIMINGS, b'{"generation": 0}\n')
    with pytest.raises(RunError, match=r"measurements\.jsonl' is damaged in line 1"):
        read_run(tmp_path / "run")
