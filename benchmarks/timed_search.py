"""A search under limits of SRAM and of time, with a virtual board in its loop: both met by what is deployed?

    python benchmarks/timed_search.py [--runs DIR]

After every third generation the best networks are measured on the board and the model of times corrected;
the winner is deployed there and measured again. Then another point of the same front is picked, for half of
the time, without searching again. Killed, the same command goes on. Writes
benchmarks/results/timed_search.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from recording import record

from tinynas.search import read_run

SEARCH = (
    "search --board stm32f746 --sram 128k --latency 30ms --strategy nsga2 --measure-every 3 --virtual "
    "--deploy-samples 100"
)
PICK = "pick --latency 15ms"
#: what of a result is worth keeping
KEPT = (
    "space", "genotype", "macs", "params", "sram_bytes", "flash_bytes", "latency_ms", "latency_budget_ms",
    "latency_label", "latency_factor", "accuracy_float", "accuracy_int8", "test_pictures",
)  # fmt: skip


def searched(folder: Path) -> dict[str, Any]:
    """The search in `folder`, run or continued, and what the board said of its winner."""
    told = tinynas(*SEARCH.split(), "--run", str(folder))
    deployed = told["deployment"]
    return {
        "searched_by": f"tinynas {SEARCH}",
        "winner": {name: told[name] for name in KEPT if name in told},
        "deployed": {
            "times": deployed["times"],
            "latency_ms": deployed["latency_ms"],
            "arena_bytes": deployed["arena_bytes"]["board"],
            "samples": deployed["samples"],
            "wrong_samples": deployed["wrong_samples"],
            "accuracy_on_board": deployed["accuracy_on_board"],
        },
        "in_time": deployed["latency_ms"] <= told["latency_budget_ms"],
        "in_sram": deployed["arena_bytes"]["board"] <= told["sram_budget_bytes"],
        "seconds": told["seconds"],
    }


def in_between(folder: Path) -> dict[str, Any]:
    """What was measured in the middle of the search, beside what was predicted."""
    summary = read_run(folder)
    return {
        "candidates": len(summary.candidates),
        "front": len(summary.front),
        "measured": [
            {
                "generation": timing.generation,
                "modelled_ms": round(timing.modelled_ms, 3),
                "corrected_ms": round(timing.corrected_ms, 3),
                "measured_ms": round(timing.measured_ms, 3),
                "error": round(timing.error, 4),
            }
            for timing in summary.timings
        ],
    }


def picked(folder: Path) -> dict[str, Any]:
    """Another network of the front, within half of the time."""
    words = PICK.split()
    told = tinynas(words[0], str(folder), *words[1:])
    within = [member for member in told["front"] if member["within"]]
    result = told["picked"]
    return {
        "picked_by": f"tinynas {PICK}",
        "within": len(within),
        "network": {name: result[name] for name in KEPT if name in result},
        "seconds": result["seconds"],
    }


def tinynas(*words: str) -> Any:
    """What a command prints with ``--json``."""
    print(f"$ tinynas {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "tinynas", *words, "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    """Search, pick, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=Path, default=Path("runs/timed_search"))
    folder = parser.parse_args().runs
    figures = {**searched(folder), **in_between(folder), "pick": picked(folder)}
    print(json.dumps(figures, indent=2))
    record("timed_search", figures)


if __name__ == "__main__":
    main()
