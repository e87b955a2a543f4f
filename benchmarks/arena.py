"""SRAM of a network: TFLM's arena, the best published engines', and ours.

    python benchmarks/arena.py [--models ../shared/models]

Ours is the plan's one static array, the network's inputs and outputs (the image) included, and equals the
array in the ELF to the byte (tests/engine/test_armv7em.py). TFLM's head, with CMSIS-NN's working memory, is
tinynas's prediction (benchmarks/tflm_arena.py). Prints a table and writes benchmarks/results/arena.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from published import H743_SRAM_KB, TFLM_CMSIS_NN, TINYENGINE_FIXED, TINYENGINE_PATCHES, Peer
from recording import record
from rich.console import Console
from rich.table import Table

from tinynas.board import load_board
from tinynas.cost import TflmRuntime
from tinynas.engine.planner import plan_network
from tinynas.errors import ModelError
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import read_tflite
from tinynas.networks import build_graph, find_network

ROOT = Path(__file__).resolve().parent.parent
PRESETS = tuple(f"mcunet-in{n}" for n in range(5))
#: what the project set out to reach, bytes
TARGETS = {
    "tinyengine__vww": 26_000,
    "mlperftiny__vww_96_int8": 32_000,
    "mlperftiny__pretrainedResnet_quant": 18_000,
    "mlperftiny__kws_ref_model": 10_000,
    "tinyengine__detection": 85_000,
    "mcunet-in0": 20_000,
    "mcunet-in1": 35_000,
    "mcunet-in2": 92_000,
    "mcunet-in3": 110_000,
    "mcunet-in4": 130_000,
}


@dataclass(frozen=True)
class Row:
    """Bytes of one network; None where nobody measured, published or asked."""

    network: str
    tflm_head: int
    tflm_arena_measured: int | None
    x_cube_ai_kb: int | None
    tinyengine_kb: int | None
    tinyengine_measured: int | None
    tinyengine_patches_measured: int | None
    ours: int
    ours_bound: int
    plan_seconds: float
    target: int | None

    @property
    def reached(self) -> bool | None:
        """Whether ours is within the target."""
        return None if self.target is None else self.ours <= self.target


def row_of(network: str, graph: Graph) -> Row:
    """Every figure of one network."""
    head = TflmRuntime().sram(graph, load_board("stm32f746")).head
    began = time.perf_counter()
    plan = plan_network(simplify(graph))
    seconds = time.perf_counter() - began
    published = H743_SRAM_KB.get(network)
    return Row(
        network,
        head,
        _arena(TFLM_CMSIS_NN.get(network)),
        published.x_cube_ai if published else None,
        published.tinyengine if published else None,
        _arena(TINYENGINE_FIXED.get(network)),
        _arena(TINYENGINE_PATCHES.get(network)),
        plan.arena,
        plan.bound,
        round(seconds, 4),
        TARGETS.get(network),
    )


def networks(models: Path) -> Iterator[tuple[str, Graph]]:
    """The .tflite files of `models`, then the published presets, by name."""
    yield from ((file.stem, read_tflite(file)) for file in sorted(models.glob("*.tflite")))
    yield from ((name, build_graph(find_network(name))) for name in PRESETS)


#: heading and cell of each column but the first
_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("TFLM head", lambda row: _number(row.tflm_head)),
    ("TFLM arena", lambda row: _number(row.tflm_arena_measured)),
    ("X-CUBE-AI", lambda row: _kilo(row.x_cube_ai_kb)),
    ("TinyEngine", lambda row: _number(row.tinyengine_measured) or _kilo(row.tinyengine_kb)),
    ("patches", lambda row: _number(row.tinyengine_patches_measured)),
    ("tinynas", lambda row: _number(row.ours)),
    ("bound", lambda row: _number(row.ours_bound)),
    ("head / ours", lambda row: f"{row.tflm_head / row.ours:.1f}"),
    ("to reach", lambda row: _number(row.target)),
    ("", lambda row: {None: "", True: "reached", False: "missed"}[row.reached]),
)


def show(rows: list[Row], console: Console) -> None:
    """A table a person reads."""
    table = Table(title="SRAM of activations and working memory in bytes, image included")
    table.add_column("network", no_wrap=True)
    for heading, _ in _COLUMNS:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.network, *(cell(row) for _, cell in _COLUMNS))
    console.print(table)
    print("kB: as published for an STM32H743; bound: what the plan's largest group needs in any layout")


def main() -> None:
    """Plan, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models")
    rows, refused = [], {}
    for network, graph in networks(parser.parse_args().models):
        try:
            rows.append(row_of(network, graph))
        except ModelError as error:
            refused[network] = str(error)
    show(rows, Console(width=None if sys.stdout.isatty() else 160))
    for network, reason in refused.items():
        print(f"{network}: {reason}")
    figures = [{**asdict(row), "reached": row.reached} for row in rows]
    record("arena", {"unit": "bytes where no other is named", "rows": figures, "refused": refused})


def _arena(peer: Peer | None) -> int | None:
    return peer.arena if peer else None


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _kilo(value: int | None) -> str:
    return "" if value is None else f"{value} kB"


if __name__ == "__main__":
    main()
