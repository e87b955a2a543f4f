"""Kill a search with SIGKILL again and again, resume it, and compare with a search left alone.

    python benchmarks/kill_resume.py [--family mobile] [--kills 10] [--clock-kills 2] [--seed 0]

`--kills` moments are drawn from all steps of all stages, at least one in each: the choice of a space,
training, scoring, fine-tuning, export; another search is killed `--clock-kills` times after a random time,
between steps or inside a write. All must end with the same winner, the same candidates and the same .tflite,
byte for byte.
Writes benchmarks/results/kill_resume.json, or kill_resume_regnetx.json for that family.
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
from typing import Any, TypeAlias

import numpy as np
from recording import record

from tinynas.board import load_board, make_budget
from tinynas.pipeline.request import SearchRequest, presets_of
from tinynas.pipeline.run import run_search
from tinynas.spaces import Scoring, find_family
from tinynas.spaces.families import MOBILE
from tinynas.supernet import training

#: so little work that ten restarts stay bearable; every stage still happens
NUMBERS = {
    "finetune_epochs": 0.3,
    "population": 8,
    "iterations": 2,
    "parents": 3,
    "crossover": 3,
    "mutation": 3,
}
OWN_NUMBERS: dict[Scoring, dict[str, float]] = {
    Scoring.SHARED_WEIGHTS: {"largest_epochs": 0.2, "supernet_epochs": 0.15, "samples": 200},
    Scoring.SHORT_TRAINING: {"trial_epochs": 0.3, "samples": 5},
}


#: a stage's name and how far it was
Moment: TypeAlias = tuple[str, int]


class Witness:
    """An observer that writes down every step, and kills its own process at the `fatal` one."""

    def __init__(self, fatal: Moment | None, log: Path | None) -> None:
        self._fatal, self._log, self._stage = fatal, log, ""

    def note(self, text: str) -> None:
        """Nothing to do."""

    def begin(self, stage: str, total: int) -> None:
        """Remember the stage."""
        self._stage = stage

    def advance(self, done: int, text: str) -> None:
        """One step more; perhaps the last."""
        if self._log is not None:
            with self._log.open("a") as file:
                file.write(json.dumps([self._stage, done]) + "\n")
        if (self._stage, done) == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self) -> None:
        """Nothing to do."""


def search(folder: Path, family: str, fatal: Moment | None, log: Path | None) -> None:
    """The small search in `folder`, killed at `fatal`; with a checkpoint after every step."""
    training.CHECKPOINT_SECONDS = 0.0
    board = load_board("stm32f746")
    request = SearchRequest(
        board=board,
        budget=make_budget(board, "48k", "256k"),
        runtime="tflm",
        data="digits",
        data_dir=None,
        effort_name="quick",
        effort=presets_of(family).make("quick", NUMBERS | OWN_NUMBERS[find_family(family).scoring]),
        seed=0,
        family=family,
    )
    run_search(request, folder, Witness(fatal, log))


def outcome(folder: Path) -> dict[str, Any]:
    """What must not depend on kills."""
    winner = json.loads((folder / "winner.json").read_text())
    return {
        "genotype": winner["genotype"],
        "candidates_md5": hashlib.md5((folder / "candidates.jsonl").read_bytes()).hexdigest(),
        "tflite_md5": hashlib.md5((folder / "model.tflite").read_bytes()).hexdigest(),
    }


def draw(moments: list[Moment], kills: int, rng: np.random.Generator) -> list[Moment]:
    """`kills` different moments in the order they come, one or more in each stage if there are enough."""
    stages = list(dict.fromkeys(stage for stage, _ in moments))
    rng.shuffle(stages)
    first = [moments[rng.choice([i for i, m in enumerate(moments) if m[0] == s])] for s in stages[:kills]]
    others = [moment for moment in moments if moment not in first]
    more = rng.choice(len(others), kills - len(first), replace=False)
    return sorted([*first, *(others[i] for i in more)], key=moments.index)


def _start(
    folder: Path, family: str, fatal: Moment | None = None, log: Path | None = None
) -> subprocess.Popen[bytes]:
    child = json.dumps(
        {"folder": str(folder), "family": family, "fatal": fatal, "log": str(log) if log else None}
    )
    return subprocess.Popen([sys.executable, __file__, "--child", child], stderr=subprocess.DEVNULL)


def _expect(status: int, wanted: int, what: str) -> None:
    if status != wanted:
        raise SystemExit(f"{what} ended with status {status}, not {wanted}")


def _killed_by_clock(folder: Path, family: str, seconds: float) -> None:
    process = _start(folder, family)
    time.sleep(seconds)
    process.kill()
    _expect(process.wait(), -signal.SIGKILL, f"the search killed after {seconds:.1f} s")
    print(f"killed {seconds:.1f} s after its start", flush=True)


def _main(options: argparse.Namespace, scratch: Path) -> None:
    began, rng = time.monotonic(), np.random.default_rng(options.seed)
    log, family = scratch / "moments", options.family
    _expect(_start(scratch / "whole", family, log=log).wait(), 0, "the search left alone")
    stage_steps = [json.loads(line) for line in log.read_text().splitlines()]
    # a bar may be told several times of one step
    moments = list(dict.fromkeys((stage, done) for stage, done in stage_steps))
    deaths = draw(moments, options.kills, rng)
    for fatal in deaths:
        _expect(
            _start(scratch / "killed", family, fatal).wait(), -signal.SIGKILL, f"the search killed at {fatal}"
        )
        print(f"killed at step {fatal[1]} of {fatal[0]}", flush=True)
    clocks = rng.uniform(5, 40, options.clock_kills).tolist()
    for seconds in clocks:
        _killed_by_clock(scratch / "clocked", family, seconds)
    _expect(_start(scratch / "killed", family).wait(), 0, "the last of the resumed searches")
    whole, resumed = outcome(scratch / "whole"), [outcome(scratch / "killed")]
    if clocks:
        _expect(_start(scratch / "clocked", family).wait(), 0, "the last of the searches killed by the clock")
        resumed.append(outcome(scratch / "clocked"))
    same = all(each == whole for each in resumed)
    figures = {
        "kills": len(deaths) + len(clocks),
        "deaths": [f"{stage}, step {done}" for stage, done in deaths],
        "seconds_to_clock_deaths": [round(seconds, 1) for seconds in clocks],
        "same": same,
        **whole,
    }
    print(json.dumps(figures, indent=2))
    if not same:
        raise SystemExit(f"a resumed search ended elsewhere: {resumed}")
    if not options.no_record:
        name = "kill_resume" if family == MOBILE.name else f"kill_resume_{family}"
        record(name, {**figures, "seconds": round(time.monotonic() - began)})


def main() -> None:
    """Compare the two searches; or, as a child, be one of them."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--family", default=MOBILE.name, help="of the networks searched")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--clock-kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-record", action="store_true", help="compare only")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child = json.loads(options.child)
        fatal = (child["fatal"][0], child["fatal"][1]) if child["fatal"] else None
        search(Path(child["folder"]), child["family"], fatal, Path(child["log"]) if child["log"] else None)
        return
    with tempfile.TemporaryDirectory() as scratch:
        _main(options, Path(scratch))


if __name__ == "__main__":
    main()
