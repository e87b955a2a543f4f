"""CIFAR-10 in 64 KiB of SRAM and 256 KiB of flash: evolution, and random search with the same evaluations.

    python ../shared/data/get_cifar10.py ~/.cache/tinynas/cifar10.npz
    python benchmarks/cifar10_search.py [--runs DIR]

Two complete searches on one CPU. The second takes over the first one's space and trained supernet, so the two
differ in the strategy alone; both winners are fine-tuned alike. Killed, the same command goes on. Writes
benchmarks/results/cifar10_search.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from recording import record

BUDGET = ["--board", "stm32f746", "--sram", "64k", "--flash", "256k"]
EFFORT = [
    "--effort",
    "standard",
    "--largest-epochs",
    "2",
    "--supernet-epochs",
    "3",
    "--finetune-epochs",
    "15",
    "--finetune-rate",
    "0.1",
    "--population",
    "60",
    "--iterations",
    "6",
    "--parents",
    "12",
    "--crossover",
    "20",
    "--mutation",
    "20",
]
KEPT = [
    "space",
    "genotype",
    "macs",
    "params",
    "sram_bytes",
    "flash_bytes",
    "accuracy_shared_weights",
    "accuracy_float",
    "accuracy_int8",
    "arena_head_bytes",
    "tflite_bytes",
    "seconds",
]


def searched(strategy: str, folder: Path, *more: str) -> dict[str, Any]:
    """The result of one search in `folder`, run or continued, with the best score after each evaluation."""
    command = [
        *(sys.executable, "-m", "tinynas", "search", *BUDGET, "--data", "cifar10", *EFFORT),
        *("--strategy", strategy, "--run", str(folder), *more),
    ]
    print("$ tinynas " + " ".join(command[3:]), flush=True)
    subprocess.run(command, check=True)
    result = json.loads((folder / "result.json").read_text())
    lines = (folder / "candidates.jsonl").read_text().splitlines()
    scores = [json.loads(line)["accuracy"] for line in lines]
    best = [round(max(scores[:count]), 4) for count in (60, 120, 180, len(scores)) if count <= len(scores)]
    return {
        "command": "tinynas " + " ".join(command[3:]),
        "evaluations": len(scores),
        "best_shared_accuracy_after_60_120_180_all": best,
        **{name: result[name] for name in KEPT if name in result},
    }


def main() -> None:
    """Run both searches and record them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the two run folders are")
    runs = parser.parse_args().runs
    evolution, random = runs / "cifar10-evolution", runs / "cifar10-random"
    figures = {
        "evolution": searched("evolution", evolution),
        "random": searched("random", random, "--supernet", str(evolution)),
    }
    print(json.dumps(figures, indent=2))
    record("cifar10_search", figures)


if __name__ == "__main__":
    main()
