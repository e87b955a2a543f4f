"""Modelled against published times: Bosch's MLPerf Tiny v1.1 firmware, unmodified, on the virtual boards.

    git clone --bare https://github.com/mlcommons/tiny_results_v1.1
    python benchmarks/virtual_mlperf.py tiny_results_v1.1.git [--record]

The images are read out of the clone into a temporary folder and are no part of this repository. Each board is
asked over its serial port, by the benchmark's own protocol, to infer; the firmware times itself.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recording import record

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 300.0
_H7A3 = str(_ROOT / "benchmarks" / "boards" / "stm32h7a3.json")
_CODE, _PUBLISHED = "HEAD:closed/bosch/code", "HEAD:closed/bosch/results"
_MBED = "BUILD/{}/GCC_ARM-CUSTOM_PROFILE/{}.bin"


@dataclass(frozen=True)
class Case:
    """One network on one board: where its image lies in the clone, and the board here."""

    board: str
    folder: str
    network: str
    image: str


@dataclass(frozen=True)
class Row:
    """One line of the table; the error is of the modelled time, in per cent of the published one."""

    board: str
    network: str
    published_ms: float
    modelled_ms: float
    error_percent: float


def cases() -> tuple[Case, ...]:
    """The twelve images whose boards are modelled."""
    f746 = (Case("stm32f746", "DISCO_F746NG", n, _MBED.format("DISCO_F746NG", "code")) for n in _networks())
    h7a3 = {n: _MBED.format("NUCLEO_H7A3ZI_Q", "code_application") for n in ("kws", "ic")} | {
        "ad": "h7_a3_ml_perf/Release/h7_a3_ml_perf.bin",
        "vww": "Release/h7a3_vww.bin",
    }
    l4r5 = (Case("stm32l4r5", "NUCLEO_L4R5ZI", n, f"Release/l4r5_{n}.bin") for n in _networks())
    return (*f746, *(Case(_H7A3, "NUCLEO_H7A3ZI", n, h7a3[n]) for n in _networks()), *l4r5)


def _networks() -> tuple[str, ...]:
    return ("ad", "kws", "ic", "vww")


def published_ms(clone: Path, case: Case) -> float:
    """The time of one inference as the board took it."""
    text = _show(clone, f"{_PUBLISHED}/{case.folder}/{case.network}/performance/results.txt").decode()
    return 1000 / statistics.median(float(rate) for rate in re.findall(r"Throughput\s*:\s*([\d.]+)", text))


def modelled_ms(image: Path, board: str, inferences: int = 2) -> float:
    """The time of one inference by the firmware's own clock, on the virtual board."""
    import serial

    from tinynas.device.virtual.process import virtual_board

    with virtual_board(image, board) as virtual, serial.serial_for_url(virtual.url, timeout=1) as port:
        _await_ready(port, virtual)
        port.write(f"infer {inferences} 1%".encode())
        laps = [int(us) for us in re.findall(r"m-lap-us-(\d+)", _await_ready(port, virtual))]
    return (laps[1] - laps[0]) / inferences / 1000


def _await_ready(port: Any, virtual: Any) -> str:
    heard, end = b"", time.monotonic() + _PATIENCE
    while b"m-ready" not in heard:
        heard += port.read_until(b"\n")
        if (report := virtual.report()) is not None:
            raise RuntimeError(report)
        if time.monotonic() > end:
            raise RuntimeError(f"no answer in {_PATIENCE:.0f} s: {heard[-200:]!r}")
    return heard.decode(errors="replace")


def _show(clone: Path, what: str) -> bytes:
    return subprocess.run(["git", "-C", str(clone), "show", what], capture_output=True, check=True).stdout


def _row(clone: Path, case: Case, folder: Path) -> Row:
    image = folder / f"{case.folder}_{case.network}.bin"
    image.write_bytes(_show(clone, f"{_CODE}/{case.folder}/{case.network}/{case.image}"))
    published, modelled = published_ms(clone, case), modelled_ms(image, case.board)
    return Row(
        Path(case.board).stem, case.network, published, modelled, 100 * (modelled - published) / published
    )


def main() -> None:
    """Prints the table and the mean and worst error of each core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clone", type=Path, help="of mlcommons/tiny_results_v1.1")
    parser.add_argument("--record", action="store_true", help="write results/virtual_mlperf.json")
    options = parser.parse_args()
    sys.path.insert(0, str(_ROOT))
    rows = []
    with TemporaryDirectory() as folder:
        for case in cases():
            row = _row(options.clone, case, Path(folder))
            rows.append(row)
            print(
                f"{row.board:10} {row.network:4} published {row.published_ms:8.3f} ms  "
                f"modelled {row.modelled_ms:8.3f} ms  {row.error_percent:+5.1f} %",
                flush=True,
            )
    cores = {"cortex-m7": ("stm32f746", "stm32h7a3"), "cortex-m4": ("stm32l4r5",)}
    summary = {}
    for core, boards in cores.items():
        errors = [abs(row.error_percent) for row in rows if row.board in boards]
        summary[core] = {"mean_error_percent": statistics.mean(errors), "worst_error_percent": max(errors)}
        print(f"{core}: mean error {statistics.mean(errors):.1f} %, worst {max(errors):.1f} %")
    if options.record:
        record("virtual_mlperf", {"cores": summary, "rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
