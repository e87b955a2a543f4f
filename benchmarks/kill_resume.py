"""Kill a search with SIGKILL at random moments, resume it each time, and compare with a search left alone.

    python benchmarks/kill_resume.py [--kills 10] [--seed 0]

A moment is a step of any stage: training, scoring, export. The two searches must end with the same
winner, the same candidates and the same .tflite, byte for byte. Writes benchmarks/results/kill_resume.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from recording import record

from tinynas.board import load_board, make_budget
from tinynas.pipeline.effort import make_effort
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.run import run_search

#: so little work that ten restarts stay bearable; every stage still happens
NUMBERS = {
    "largest_epochs": 0.2,
    "supernet_epochs": 0.15,
    "finetune_epochs": 0.3,
    "population": 8,
    "iterations": 2,
    "parents": 3,
    "crossover": 3,
    "mutation": 3,
    "samples": 200,
}


class Executioner:
    """An observer that kills its own process at the `fatal`-th step it is told of; 0 never."""

    def __init__(self, fatal: int) -> None:
        self._fatal, self._steps = fatal, 0

    def note(self, text: str) -> None:
        """Nothing to do."""

    def begin(self, stage: str, total: int) -> None:
        """Nothing to do."""

    def advance(self, done: int, text: str) -> None:
        """One step more; perhaps the last."""
        self._steps += 1
        if self._steps == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self) -> None:
        """Nothing to do."""


def search(folder: Path, fatal: int) -> None:
    """The small search in `folder`, killed at step `fatal` of this process."""
    board = load_board("stm32f746")
    request = SearchRequest(
        board=board,
        budget=make_budget(board, "48k", "256k"),
        runtime="tflm",
        data="digits",
        data_dir=None,
        effort_name="quick",
        effort=make_effort("quick", NUMBERS),
        seed=0,
    )
    run_search(request, folder, Executioner(fatal))


def outcome(folder: Path) -> dict[str, Any]:
    """What must not depend on kills."""
    winner = json.loads((folder / "winner.json").read_text())
    return {
        "genotype": winner["genotype"],
        "candidates_md5": hashlib.md5((folder / "candidates.jsonl").read_bytes()).hexdigest(),
        "tflite_md5": hashlib.md5((folder / "model.tflite").read_bytes()).hexdigest(),
    }


def _child(folder: Path, fatal: int) -> int:
    command = [sys.executable, __file__, "--child", str(folder), str(fatal)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode


def _killed_and_resumed(folder: Path, kills: int, rng: np.random.Generator) -> list[int]:
    """Run until done, killed up to `kills` times; the steps at which it died."""
    moments: list[int] = []
    while True:
        fatal = int(rng.integers(1, 12)) if len(moments) < kills else 0
        status = _child(folder, fatal)
        if status == 0:
            return moments
        if status != -signal.SIGKILL:
            raise SystemExit(f"the resumed search failed with status {status} after {moments}")
        moments.append(fatal)
        print(f"killed at step {fatal} of process {len(moments)}", flush=True)


def main() -> None:
    """Compare the two searches."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-record", action="store_true", help="compare only")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        search(Path(options.child[0]), int(options.child[1]))
        return
    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        if _child(Path(scratch, "whole"), 0) != 0:
            raise SystemExit("the undisturbed search failed")
        rng = np.random.default_rng(options.seed)
        moments = _killed_and_resumed(Path(scratch, "killed"), options.kills, rng)
        whole, killed = (outcome(Path(scratch, name)) for name in ("whole", "killed"))
    figures = {"kills": len(moments), "steps_of_death": moments, "same": whole == killed, **whole}
    print(json.dumps(figures, indent=2))
    if whole != killed:
        raise SystemExit(f"the resumed search ended elsewhere: {killed}")
    if not options.no_record:
        record("kill_resume", {**figures, "seconds": round(time.monotonic() - began)})


if __name__ == "__main__":
    main()
