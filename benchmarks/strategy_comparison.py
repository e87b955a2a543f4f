"""Six search strategies at equal numbers of evaluations on one space, five seeds each.

    python benchmarks/strategy_comparison.py [--run DIR] [--evaluations 100]
    python benchmarks/strategy_comparison.py --data cifar10 [--run DIR] [--supernet runs/cifar10-evolution]

A fine-tuned network knows nearly all digits, but they tell strategies apart all the same: what a search sees
is accuracy with the shared weights of a briefly trained supernet, far from saturating. Supernet and scores
are shared by all searches. For CIFAR-10 the supernet of benchmarks/cifar10_search.py serves, or one is
trained in the same way, which takes half an hour. Killed, the same command goes on. Writes benchmarks/
results/strategy_comparison.json (or strategy_comparison_cifar10.json) and docs/compare-strategies.png (or
compare-strategies-cifar10.png).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recording import record

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is asked of `tinynas compare`, `training` only where the supernet is not there already."""

    command: str
    training: str
    result: str
    picture: Path


COMPARISONS = {
    "digits": Comparison(
        "compare --board stm32f746 --sram 12k --flash 128k --data digits "
        "--calibration-batches 1 --calibration-batch-size 256 --seeds 5",
        "--min-share 0.3 --supernet-epochs 6 --subnets-per-batch 2",
        "strategy_comparison",
        ROOT / "docs" / "compare-strategies.png",
    ),
    "cifar10": Comparison(
        "compare --board stm32f746 --sram 64k --flash 256k --runtime tflm --data cifar10 --effort standard "
        "--population 20 --parents 6 --crossover 6 --mutation 6 --seeds 5",
        "--largest-epochs 1 --supernet-epochs 8 --subnets-per-batch 2 --supernet-rate 0.1",
        "strategy_comparison_cifar10",
        ROOT / "docs" / "compare-strategies-cifar10.png",
    ),
}


def compare(asked: Comparison, run: Path, evaluations: int, supernet: Path | None, picture: Path) -> Any:
    """What the comparison in the folder `run` says, run or continued; it is drawn in `picture`."""
    training = f"--supernet {supernet.absolute()}" if supernet is not None else asked.training
    command = f"{asked.command} {training} --evaluations {evaluations}"
    print(f"$ tinynas {command} --run {run} --json", flush=True)
    words = [*command.split(), "--run", str(run.absolute()), "--plot", str(picture.absolute()), "--json"]
    shown = subprocess.run(
        [sys.executable, "-m", "tinynas", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return {"tinynas": f"tinynas {command}"} | json.loads(shown.stdout) | {"comparison": run.name}


def main() -> None:
    """Run or continue the comparison, draw, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=COMPARISONS, default="digits")
    parser.add_argument("--run", type=Path, help="its folder; runs/strategies and the data's name by default")
    parser.add_argument("--supernet", type=Path, help="a run whose trained supernet is taken")
    parser.add_argument("--evaluations", type=int, default=100)
    options = parser.parse_args()
    asked, run = COMPARISONS[options.data], options.run or Path("runs") / f"strategies-{options.data}"
    with TemporaryDirectory() as folder:
        drawn = Path(folder) / asked.picture.name
        found = compare(asked, run, options.evaluations, options.supernet, drawn)
        for each in found["strategies"]:
            print(f"{each['strategy']}: {each['final_best_mean']:.4f} +- {each['final_best_std']:.4f}")
        # a picture in the tree would make it another than the commit's
        record(asked.result, found)
        shutil.copyfile(drawn, asked.picture)


if __name__ == "__main__":
    main()
