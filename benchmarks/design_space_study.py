"""AnyNetX-A, AnyNetX-E and RegNetX compared on CIFAR-10 under 320 kB, as in RegNet's figures 5 to 9.

    python benchmarks/design_space_study.py [--run runs/design-spaces] [--workers 2]

The study can be killed and started again; it is what this command does:

    tinynas study --space anynetx-a,anynetx-e,regnetx --board stm32f746 --sram 320k --data cifar10
        --resolution 24 --macs 0.5m-2m --networks 40 --epochs 2 --pictures 10000 --held-out 5000

Writes benchmarks/results/design_space_study.json and the figures docs/study-*.png.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from recording import record

from tinynas.board import load_board, make_budget
from tinynas.cli.progress import watching
from tinynas.pipeline.study import run_study
from tinynas.pipeline.study_request import StudyRequest, parse_band
from tinynas.report.study_plot import plot_study
from tinynas.study.analysis import Findings, analyse
from tinynas.study.executors import ProcessExecutor
from tinynas.study.sampling import Complexity
from tinynas.study.times import model_times

SPACES = ("anynetx-a", "anynetx-e", "regnetx")
DOCS = Path(__file__).resolve().parent.parent / "docs"
FIGURES = ("edf", "efficiency", "properties", "fit", "complexity")


def ordering(findings: list[Findings]) -> dict[str, Any]:
    """Whether RegNet is above AnyNet-E above AnyNet-A, as in the paper, in two numbers each and the rest."""
    names = [found.space for found in reversed(findings)]
    medians = [found.edf.median for found in reversed(findings)]
    means = [found.edf.mean for found in reversed(findings)]
    return {
        "papers_ordering_best_first": names,
        "holds_in_median_error": medians == sorted(medians),
        "holds_in_mean_error": means == sorted(means),
        "best_of_8": {found.space: round(float(found.best_of.mean[7]), 4) for found in findings},
    }


def main() -> None:
    """Run or continue the study, draw, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=Path("runs/design-spaces"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--spaces", default=",".join(SPACES))
    parser.add_argument("--no-record", action="store_true", help="train and print only")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    board = load_board("stm32f746")
    request = StudyRequest(
        board=board,
        budget=make_budget(board, "320k", None),
        runtime="engine",
        spaces=tuple(options.spaces.split(",")),
        networks=options.networks,
        data="cifar10",
        data_dir=None,
        seed=0,
        resolution=24,
        complexity=Complexity(parse_band("0.5m-2m")),
        epochs=options.epochs,
        pictures=options.pictures,
        held_out=5000,
    )
    with watching() as observer:
        study = run_study(request, options.run, ProcessExecutor(options.workers), observer)
    times = model_times(study)
    findings = analyse(study, times)
    seconds = sum(each.outcome.seconds for each in study.records)
    figures = {
        "request": dict(study.request),
        "workers": options.workers,
        "training_hours": round(seconds / 3600, 2),
        "seconds_a_network": round(seconds / len(study.records), 1),
        "ordering": ordering(findings),
        "latency_label": times.label if times else None,
        "spaces": [found.to_dict() for found in findings],
    }
    for found in findings:
        curve = found.edf
        quantiles = f"best {curve.errors[0]:.1%}, median {curve.median:.1%}, mean {curve.mean:.1%}"
        print(f"{found.space}: n {len(curve.errors)}, {quantiles}")
    print(figures["ordering"])
    if options.no_record:
        return
    for name in FIGURES:
        plot_study(study, DOCS / f"study-{name}.png", name)
    record("design_space_study", figures)


if __name__ == "__main__":
    main()
