"""How fast the virtual board runs with its timing on: instructions a second of this computer.

    python benchmarks/virtual_speed.py [--seconds 5]

Runs an int8 kernel's inner loop (tests/device/virtual_firmware.c, BUSY) on each board. The target is
20 million instructions a second with numba. Recorded in benchmarks/results/virtual_speed.json with --record.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_TESTS = _ROOT / "tests" / "device"
_RESULTS = _ROOT / "benchmarks" / "results" / "virtual_speed.json"


def measure(elf: Path, board: str, seconds: float, *options: str) -> float:
    """Instructions a second of a firmware that computes all the time."""
    command = [sys.executable, "-m", "tinynas.device.virtual", str(elf), "--board", board, "--json"]
    done = subprocess.run(
        [*command, "--seconds", str(seconds), *options], capture_output=True, check=True, cwd=_ROOT, text=True
    )
    facts = json.loads(done.stdout)
    return float(facts["instructions"] / facts["host_seconds"])


def main() -> None:
    """Prints a line for each board and way of counting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run")
    parser.add_argument("--record", action="store_true", help=f"write {_RESULTS.name}")
    options = parser.parse_args()
    sys.path.insert(0, str(_TESTS))
    from virtual_build import BOARDS, build

    rows = []
    for board in BOARDS:
        elf = build(board, "-DBUSY")
        native = measure(elf, board, options.seconds)
        plain = measure(elf, board, options.seconds, "--no-native")
        rows.append({"board": board, "native_mips": native / 1e6, "plain_mips": plain / 1e6})
        print(f"{board}: {native / 1e6:.1f} million instructions a second, {plain / 1e6:.1f} without numba")
    if options.record:
        load = os.getloadavg()[0]
        result = {"command": "python benchmarks/virtual_speed.py --record", "load": load, "boards": rows}
        _RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
