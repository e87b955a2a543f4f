"""Six search strategies at equal numbers of evaluations on one space, five seeds each.

    python ../shared/data/get_cifar10.py ~/.cache/tinynas/cifar10.npz
    python benchmarks/strategy_comparison.py [--folder runs/strategies] [--evaluations 40]

The pictures are CIFAR-10 averaged to 16 x 16 pixels, which keeps a score within a second of one core while
accuracies stay far from saturating. Supernet and scores are shared by all searches. Killed, the same command
goes on. Writes benchmarks/results/strategy_comparison.json and docs/compare-strategies.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from recording import record

from tinynas.data import load_dataset

PICTURES = "cifar10-16px.npz"
COMMAND = (
    f"compare --board stm32f746 --sram 6k --flash 256k --min-share 0.35 --data {PICTURES} --batch-size 64 "
    "--max-steps 500 --largest-epochs 0.5 --supernet-epochs 0.65 --subnets-per-batch 2 --largest-rate 0.1 "
    "--supernet-rate 0.1 --held-out-most 1000 --calibration-batches 1 --calibration-batch-size 256 --run run"
)
DOCS = Path(__file__).resolve().parent.parent / "docs"


def keep_pictures(path: Path) -> None:
    """CIFAR-10, each 2 x 2 pixels averaged, as an .npz that --data takes."""
    data = load_dataset("cifar10")
    parts = {}
    for name, split in (("train", data.train), ("test", data.test)):
        squares = split.images.reshape(len(split), 16, 2, 16, 2, 3)
        parts[f"x_{name}"] = np.round(squares.mean(axis=(2, 4))).astype(np.uint8)
        parts[f"y_{name}"] = split.labels
    np.savez(path, **parts)


def compare(folder: Path, evaluations: int, seeds: int, plot: Path) -> dict[str, Any]:
    """What the comparison in `folder` says, run or continued."""
    words = [*COMMAND.split(), "--seeds", str(seeds), "--evaluations", str(evaluations)]
    print(f"$ tinynas {' '.join(words)}", flush=True)
    shown = subprocess.run(
        [sys.executable, "-m", "tinynas", *words, "--plot", str(plot), "--json"],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(shown.stdout)
    return {"command": f"tinynas {' '.join(words)}"} | found


def main() -> None:
    """Run or continue the comparison, draw, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/strategies"))
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not (options.folder / PICTURES).exists():
        keep_pictures(options.folder / PICTURES)
    found = compare(options.folder, options.evaluations, options.seeds, DOCS / "compare-strategies.png")
    times = json.loads((options.folder / "run" / "times.json").read_text())
    for each in found["strategies"]:
        print(f"{each['strategy']}: {each['final_best_mean']:.4f} +- {each['final_best_std']:.4f}")
    record("strategy_comparison", {**found, "plot": "docs/compare-strategies.png", "seconds": times})


if __name__ == "__main__":
    main()
