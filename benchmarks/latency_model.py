"""How far modelled latency is from what boards take: networks that the calibration never saw.

    python benchmarks/latency_model.py [--boards stm32f746,...] [--networks 40] [--record]

Networks are drawn from the spaces of the mobile, RegNetX and RegNetY families and planned for all goals.
Their cycles on the virtual board (of --boards rp2040,esp32s3: as counted instructions tell them, benches.py)
are compared with sums of operators by the calibrations that tinynas ships.
Then the speed of asking is measured. What a board said is kept until --fresh, so that it goes on where it was
interrupted; ten seconds a network.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
from benches import bench_of
from recording import record
from rich.console import Console
from rich.table import Table

from tinynas.board import Board, load_board
from tinynas.cost import EngineRuntime, macs
from tinynas.cost.calibration import shipped
from tinynas.cost.latency import CalibratedModel
from tinynas.engine.goals import Aim, Goal
from tinynas.errors import TinynasError
from tinynas.networks import Genotype, build_graph
from tinynas.pipeline.profile import run_network
from tinynas.pipeline.profile_set import Designed
from tinynas.spaces.batch import sample_batch, tabulate
from tinynas.spaces.families import find_family
from tinynas.spaces.pictures import Pictures
from tinynas.spaces.times import batch_milliseconds

BOARDS = ("stm32f746", "stm32f412", "stm32h743", "stm32l4r5")
#: half of the networks are of the mobile family
FAMILIES = ("mobile", "regnetx", "mobile", "regnety")
#: half of them are planned as a search does by default
GOALS = (Goal.RAM, Goal.RAM, Goal.RAM, Goal.RAM, Goal.BALANCED, Goal.BALANCED, Goal.SPEED, Goal.SPEED)
PICTURES = (Pictures(64, 3, 10), Pictures(160, 3, 100))
MOST_MACS = 8_000_000
#: networks of one space asked for together
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Compared:
    """A network on a board: what it took, and what the sum of its operators said; cycles."""

    genotype: str
    goal: str
    macs: int
    measured: int
    modelled: int

    @property
    def error(self) -> float:
        """Relative."""
        return self.modelled / self.measured - 1


def draw(board: Board, count: int, seed: int) -> Iterator[Designed]:
    """Networks that fit the board, of all families in turn, and what each is planned for."""
    rng, runtime = np.random.default_rng(seed), EngineRuntime()
    spaces = {
        name: [space for pictures in PICTURES for space in find_family(name).spaces(pictures)]
        for name in sorted(set(FAMILIES))
    }
    wanted = zip(range(count), cycle(FAMILIES), cycle(GOALS), strict=False)
    for _, family, goal in wanted:
        while True:
            space = spaces[family][rng.integers(len(spaces[family]))]
            genotype = space.genotype(space.sample(rng))
            graph, run_by = build_graph(genotype), EngineRuntime(Aim(goal, dsp=board.dsp))
            small = macs(graph) <= MOST_MACS and runtime.flash(graph, board).total <= 0.6 * board.flash_bytes
            # kernels for speed take more flash
            small = small and run_by.flash(graph, board).total <= 0.95 * board.flash_bytes
            if small and runtime.sram(graph, board).total <= 0.6 * board.sram_bytes:
                yield Designed(genotype, goal)
                break


def compare(board: Board, count: int, seed: int, folder: Path) -> list[Compared]:
    """Every network drawn for `board`."""
    made = []
    for number, each in enumerate(draw(board, count, seed)):
        profiled = run_network(each, board, bench_of(board.id), folder, layers=False)
        cycles, goal = round(sum(_model(board).cycles(profiled.arranged))), each.goal.value
        size = macs(build_graph(each.genotype))
        made.append(Compared(str(each.genotype), goal, size, profiled.run.total, cycles))
        print(f"{board.id} {number + 1}: {100 * made[-1].error:+.2f} % {goal} {each.genotype}", flush=True)
    return made


def ask(board: Board, genotypes: Sequence[Genotype]) -> dict[str, float]:
    """Processor time of one answer in milliseconds: of a plan, without one, and of many networks of a space.

    The first time everything is new, the second time every operator is known.
    """
    model = _model(board)
    graphs = [build_graph(genotype) for genotype in genotypes]
    plans = [model.runtime.arrangement(graph) for graph in graphs]
    space = find_family("mobile").spaces(PICTURES[1])[50]
    batch = tabulate(space, sample_batch(space, BATCH, np.random.default_rng(0)))
    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "planned": (len(plans), lambda: [model.cycles(each) for each in plans]),
        "estimate": (len(graphs), lambda: [model.estimate(graph) for graph in graphs]),
        "space": (BATCH, lambda: batch_milliseconds(batch, model)),
    }
    spent = {}
    for name, (count, way) in ways.items():
        for which in ("new", "known"):
            start = time.process_time()
            way()
            spent[f"{name}_{which}_ms"] = round(1e3 * (time.process_time() - start) / count, 4)
    return spent


def main() -> None:
    """Compare, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--boards", default=",".join(BOARDS))
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tinynas-latency")
    parser.add_argument("--fresh", action="store_true", help="forget what boards said before")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if options.fresh:
        for file in options.folder.glob("*/*.json"):
            file.unlink()
    table = Table("board", "networks", "median error", "worst", "mean", "calibration", "label")
    figures = {}
    for name in options.boards.split(","):
        board = load_board(name)
        compared = compare(board, options.networks, options.seed, options.folder / name)
        errors = [abs(each.error) for each in compared]
        bias = sum(each.error for each in compared) / len(compared)
        model = _model(board)
        figures[name] = {
            "median_error": median(errors),
            "worst_error": max(errors),
            "mean_error": bias,
            "label": model.label,
            "calibration": {"date": model.calibration.date, "errors": asdict(model.calibration.errors)},
            "ask": ask(board, [each.genotype for each in draw(board, options.networks, options.seed)]),
            "networks": [asdict(each) | {"error": each.error} for each in compared],
        }
        table.add_row(
            name,
            str(len(compared)),
            f"{100 * median(errors):.2f} %",
            f"{100 * max(errors):.2f} %",
            f"{100 * bias:+.2f} %",
            f"{model.calibration.networks} networks, {model.calibration.operators} operators",
            model.label,
        )
    Console(width=140).print(table)
    for name, figure in figures.items():
        print(name, figure["ask"])
    if options.record:
        record("latency_model", {"boards": figures})


def _model(board: Board) -> CalibratedModel:
    """The shipped one, whatever was profiled here."""
    brought = shipped()[board.id]
    return CalibratedModel(board, EngineRuntime(), brought, brought.times, board.clock_hz)


if __name__ == "__main__":
    try:
        main()
    except TinynasError as error:
        sys.exit(f"error: {error}")
