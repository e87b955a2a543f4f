"""How far counted instructions and modelled cycles are from what others measured on real boards.

    python benchmarks/core_anchors.py [COUNTS.json]

For two boards nobody here has, others published the time of code that anybody can count: ESP-NN's portable
kernels on an ESP32-S3, CMSIS-NN's layers on an RP2040, CoreMark on both. COUNTS.json has what the same code
executes on cores that stand in for theirs: {"made": "by which compiler and emulator", "esp32s3": {ANCHOR:
{CORE: COUNT}}, "rp2040": ...}, every anchor of `ANCHORS` by its name. Counts are instructions, of the core
"cortex-m0plus" cycles (cores/cycles.py).

That code is other people's, so neither it nor what would build it is in this repository. ESP-NN is v1.2.1
(79d59ae), its ANSI C at -O2 with the shapes and data of its own tests; CMSIS-NN is pico-tflmicro's (1bdb61c),
one core, at -O3 with pico-sdk's 64-bit product and the boot ROM's memcpy; CoreMark is at -O3. "xtensa" are
instructions by gcc for an ESP8266, as if that had an ESP32-S3's SEXT and MULSH: one fewer for each int8
loaded, 26 fewer for each 64-bit product.

Prints cycles of the board for each count, their geometric mean and how far the worst are from it, and what a
line of the RP2040's flash cache costs; writes results/core_anchors.json. Without COUNTS.json the counts are
those recorded there, and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from recording import RESULTS, record
from rich.console import Console
from rich.table import Table

#: executed on a core, by anchor
Counts: TypeAlias = Mapping[str, Mapping[str, float]]

_ESP_NN = "https://github.com/espressif/esp-nn/blob/79d59ae/README.md"
_PICO = "https://github.com/raspberrypi/pico-tflmicro/blob/1bdb61c/benchmark_results.txt"
_S3_DATASHEET = "https://www.espressif.com/documentation/esp32-s3_datasheet_en.pdf"
_PICO_COREMARK = "https://github.com/PaulStoffregen/CoreMark/pull/15"
#: pico-sdk's clock
_PICO_MHZ = 125
_LINE_BYTES, _BIAS_BYTES = 8, 4
#: in benchmarks/results
_RECORD = "core_anchors"


@dataclass(frozen=True, slots=True)
class Anchor:
    """`cycles` that a board took for code of a `kind`, as `source` has it.

    `flash_bytes` of weights and biases came through a cache that had none of them; 0 where it had, or where
    they lay in RAM.
    """

    name: str
    kind: str
    cycles: float
    source: str
    flash_bytes: int = 0


def _esp_nn(name: str, kind: str, ticks: int) -> Anchor:
    return Anchor(name, kind, ticks, _ESP_NN)


def _layer(name: str, microseconds: int, weights: int, channels: int) -> Anchor:
    """A layer of person_detect without Pico's second core."""
    kind = name.split()[0]
    return Anchor(name, kind, _PICO_MHZ * microseconds, _PICO, weights + _BIAS_BYTES * channels)


def _depthwise(side: int, channels: int, stride: int, microseconds: int) -> Anchor:
    suffix = " s2" if stride == 2 else ""
    return _layer(f"dw {side}x{side}x{channels}{suffix}", microseconds, 9 * channels, channels)


def _pointwise(side: int, channels: int, out: int, microseconds: int) -> Anchor:
    return _layer(f"pw {side}x{side} {channels}-{out}", microseconds, channels * out, out)


#: by board. Of ESP-NN's pooling, ReLU6 and softmax the README names the shape of the first test, but we take
#: its figures for the last one's, which test_app prints: Espressif's of the P4, a RISC-V, are then 1.0 to 1.4
#: cycles an instruction of these
ANCHORS: Mapping[str, Sequence[Anchor]] = {
    "esp32s3": (
        _esp_nn("conv1x1_64", "products", 4_712_500),  # 10 x 10 x 64 to 64
        _esp_nn("conv1x1_16", "products", 312_754),  # 8 x 8 x 16 to 16
        _esp_nn("conv3x3x3", "products", 2_193_289),  # 10 x 10 x 3 to 64, no padding
        _esp_nn("dw3x3", "products", 1_159_831),  # 18 x 18 x 16, no padding
        _esp_nn("dw5x5m8", "products", 1_671_363),  # 12 x 12 x 4, multiplier 8
        _esp_nn("fc271", "products", 8_443),  # 271 to 3
        _esp_nn("avg3x3", "pooling", 427_293),  # 16 x 16 x 16, no padding
        _esp_nn("max3x3", "pooling", 376_294),
        _esp_nn("add", "element-wise", 281_337),  # 1615
        _esp_nn("mul", "element-wise", 122_703),
        _esp_nn("relu100", "element-wise", 1_125),  # 100
        _esp_nn("softmax8x3", "softmax", 15_209),
        Anchor("coremark", "CoreMark", 240e6 / 613.86, _S3_DATASHEET),  # of one core
    ),
    "rp2040": (
        _layer("dw 96x96x1 m8 s2", 34_553, 72, 8),
        _depthwise(48, 8, 1, 60_260),
        _pointwise(48, 8, 16, 47_509),
        _depthwise(48, 16, 2, 29_581),
        _pointwise(24, 16, 32, 32_941),
        _depthwise(24, 32, 1, 57_434),
        _pointwise(24, 32, 32, 51_301),
        _depthwise(24, 32, 2, 14_411),
        _pointwise(12, 32, 64, 26_003),
        _depthwise(12, 64, 1, 27_689),
        _pointwise(12, 64, 64, 44_571),
        _depthwise(12, 64, 2, 7_025),
        _pointwise(6, 64, 128, 23_344),
        _depthwise(6, 128, 1, 12_996),
        _pointwise(6, 128, 128, 42_951),
        _depthwise(6, 128, 2, 3_522),
        _pointwise(3, 128, 256, 25_795),
        _depthwise(3, 256, 1, 6_016),
        _pointwise(3, 256, 256, 49_461),
        Anchor("coremark", "CoreMark", 250e6 / 457.21, _PICO_COREMARK),  # gcc 10.3 -O3
    ),
}


_WANTED = "name a file as --help describes, made where the anchors' code is"


class CountsError(Exception):
    """The file of counts is not there or lacks an anchor; the message says which."""


@dataclass(frozen=True, slots=True)
class Band:
    """Ratios in one figure: their geometric mean, and how far the least and the greatest are from it."""

    mean: float
    below: float
    above: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Band:
        """That of one ratio or more."""
        mean = exp(sum(map(log, ratios)) / len(ratios))
        return cls(mean, min(ratios) / mean - 1, max(ratios) / mean - 1)


@dataclass(frozen=True, slots=True)
class FlashFit:
    """Measured cycles as modelled ones, `line` for each line of weights and biases, and `layer`.

    `worst` is the greatest relative error.
    """

    line: float
    layer: float
    worst: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What the anchors of each board execute, and by which compiler and emulator."""

    made: str
    boards: Mapping[str, Counts]


def read_counts(path: Path) -> Counted:
    """Of `ANCHORS` alone.

    Raises:
        CountsError: there is no such file, it is none of counts, or one of `ANCHORS` is not in it.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise CountsError(f"{path} cannot be read ({error.strerror}): {_WANTED}") from None
    except ValueError:
        raise CountsError(f"{path} is not JSON: {_WANTED}") from None
    content = content if isinstance(content, dict) else {}
    found: dict[str, Counts] = {}
    for board, anchors in ANCHORS.items():
        of_board = content.get(board)
        counts = of_board if isinstance(of_board, dict) else {}
        lacking = [each.name for each in anchors if not _are_counts(counts.get(each.name))]
        if lacking:
            raise CountsError(f"{path} has no counts of {board}'s {', '.join(lacking)}: {_WANTED}")
        found[board] = {each.name: counts[each.name] for each in anchors}
    return Counted(str(content.get("made", "unknown")), found)


def recorded_counts() -> Counted:
    """Those that `main` recorded."""
    found = json.loads((RESULTS / f"{_RECORD}.json").read_text())
    boards = {board: {each["name"]: each["counts"] for each in found[board]["anchors"]} for board in ANCHORS}
    return Counted(found["counted"], boards)


def _are_counts(value: object) -> bool:
    """Whether there is one core or more, and a positive number for each."""
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(each, int | float) and each > 0 for each in value.values())


def ratios(anchors: Iterable[Anchor], counts: Counts, core: str) -> dict[str, float]:
    """Cycles of the board for each count on `core`, of the anchors that were counted there."""
    known = (each for each in anchors if core in counts[each.name])
    return {each.name: each.cycles / counts[each.name][core] for each in known}


def bands(anchors: Sequence[Anchor], counts: Counts) -> dict[str, dict[str, Band]]:
    """By core and kind."""
    found: dict[str, dict[str, Band]] = {}
    for core in dict.fromkeys(core for each in counts.values() for core in each):
        for kind in dict.fromkeys(each.kind for each in anchors):
            alike = ratios((each for each in anchors if each.kind == kind), counts, core)
            if alike:
                found.setdefault(core, {})[kind] = Band.of(list(alike.values()))
    return found


def fit_flash(anchors: Iterable[Anchor], counts: Counts, core: str) -> FlashFit:
    """Of the anchors with weights in flash, by least squares of relative errors.

    Neither cost is held to be positive: a model that leaves nothing for flash should show as that.
    """
    known = [each for each in anchors if each.flash_bytes]
    cycles = np.array([each.cycles for each in known])
    modelled = np.array([counts[each.name][core] for each in known])
    lines = np.array([each.flash_bytes / _LINE_BYTES for each in known])
    factors = np.stack([lines, np.ones_like(lines)], 1) / cycles[:, None]
    (line, layer), *_ = np.linalg.lstsq(factors, (cycles - modelled) / cycles, rcond=None)
    errors = (modelled + line * lines + layer) / cycles - 1
    return FlashFit(float(line), float(layer), float(np.abs(errors).max()))


def show(board: str, counts: Counts, console: Console) -> None:
    """One row an anchor, the cores side by side."""
    cores = list(dict.fromkeys(core for each in counts.values() for core in each))
    table = Table(title=f"{board}: measured cycles, and for each count")
    table.add_column("anchor")
    table.add_column("kind")
    for heading in ("cycles", *cores):
        table.add_column(heading, justify="right")
    by_core = {core: ratios(ANCHORS[board], counts, core) for core in cores}
    for each in ANCHORS[board]:
        figures = (by_core[core].get(each.name) for core in cores)
        cells = ("" if figure is None else f"{figure:.3f}" for figure in figures)
        table.add_row(each.name, each.kind, f"{each.cycles:,.0f}", *cells)
    console.print(table)
    for core, kinds in bands(ANCHORS[board], counts).items():
        for kind, band in kinds.items():
            console.print(f"{core}, {kind}: {band.mean:.3f} ({band.below:+.1%} to {band.above:+.1%})")


def figures(anchors: Sequence[Anchor], counts: Counts) -> dict[str, Any]:
    """What is recorded of a board."""
    by_core = bands(anchors, counts).items()
    return {
        "bands": {core: {kind: asdict(band) for kind, band in kinds.items()} for core, kinds in by_core},
        "anchors": [{**asdict(each), "counts": counts[each.name]} for each in anchors],
    }


def main() -> None:
    """Compare, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("counts", type=Path, metavar="COUNTS.json", nargs="?")
    file = parser.parse_args().counts
    try:
        counted = recorded_counts() if file is None else read_counts(file)
    except CountsError as error:
        sys.exit(str(error))
    console = Console(width=None if sys.stdout.isatty() else 120)
    for board, counts in counted.boards.items():
        show(board, counts, console)
    flash = fit_flash(ANCHORS["rp2040"], counted.boards["rp2040"], "cortex-m0plus")
    console.print(
        f"RP2040's flash: {flash.line:.0f} cycles a line, {flash.layer:,.0f} a layer, worst {flash.worst:.1%}"
    )
    if file is None:
        return
    boards = {board: figures(ANCHORS[board], counts) for board, counts in counted.boards.items()}
    record(_RECORD, {"counted": counted.made, "rp2040_flash": asdict(flash), **boards})


if __name__ == "__main__":
    main()
