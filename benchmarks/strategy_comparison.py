"""Six search strategies at equal numbers of evaluations on one space, five seeds each.

    python benchmarks/strategy_comparison.py [--run runs/strategies] [--evaluations 100]

A fine-tuned network knows nearly all digits, but they tell strategies apart all the same: what a search sees
is accuracy with the shared weights of a briefly trained supernet, far from saturating. Supernet and scores
are shared by all searches. Killed, the same command goes on. Writes benchmarks/results/
strategy_comparison.json and docs/compare-strategies.png.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recording import record

COMMAND = (
    "compare --board stm32f746 --sram 12k --flash 128k --min-share 0.3 --data digits --supernet-epochs 6 "
    "--subnets-per-batch 2 --calibration-batches 1 --calibration-batch-size 256 --seeds 5"
)
ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "compare-strategies.png"


def compare(run: Path, evaluations: int, picture: Path) -> dict[str, Any]:
    """What the comparison in the folder `run` says, run or continued; it is drawn in `picture`."""
    command = f"{COMMAND} --evaluations {evaluations}"
    print(f"$ tinynas {command} --run {run} --json", flush=True)
    words = [*command.split(), "--run", str(run.absolute()), "--plot", str(picture.absolute()), "--json"]
    shown = subprocess.run(
        [sys.executable, "-m", "tinynas", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    found: dict[str, Any] = json.loads(shown.stdout)
    return {"tinynas": f"tinynas {command}"} | found | {"comparison": run.name}


def main() -> None:
    """Run or continue the comparison, draw, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=Path("runs/strategies"))
    parser.add_argument("--evaluations", type=int, default=100)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        drawn = Path(folder) / PICTURE.name
        found = compare(options.run, options.evaluations, drawn)
        for each in found["strategies"]:
            print(f"{each['strategy']}: {each['final_best_mean']:.4f} +- {each['final_best_std']:.4f}")
        # a picture in the tree would make it another than the commit's
        record("strategy_comparison", found)
        shutil.copyfile(drawn, PICTURE)


if __name__ == "__main__":
    main()
