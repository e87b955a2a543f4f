"""CIFAR-10 in 64 KiB of SRAM and 256 KiB of flash: a whole search, and random search beside it.

    python ../shared/data/get_cifar10.py ~/.cache/tinynas/cifar10.npz
    python benchmarks/cifar10_search.py [--runs DIR]

The whole search runs on one CPU. Random search then spends as many evaluations on the same trained supernet:
what it finds is compared by the score both were searching for, accuracy on held-out pictures with shared
weights. Killed, the same command goes on. Writes benchmarks/results/cifar10_search.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from recording import record

from tinynas.board import Budget, load_board
from tinynas.cli.console import remarks
from tinynas.cli.progress import LineObserver
from tinynas.data import fingerprint, load_dataset
from tinynas.pipeline.effort import Effort
from tinynas.pipeline.request import SearchRequest
from tinynas.pipeline.scoring import method_of
from tinynas.pipeline.search_stage import evolve
from tinynas.pipeline.session import Session
from tinynas.pipeline.space_stage import choose_space, space_report
from tinynas.search import open_run, read_run

COMMAND = (
    "search --board stm32f746 --sram 64k --flash 256k --runtime tflm --data cifar10 --effort standard "
    "--largest-epochs 1 --supernet-epochs 8 --subnets-per-batch 2 --supernet-rate 0.1 --finetune-epochs 24 "
    "--finetune-rate 0.15 --population 60 --iterations 6 --parents 12 --crossover 20 --mutation 20"
)
#: what of a result is worth keeping
KEPT = (
    "space",
    "genotype",
    "macs",
    "params",
    "sram_bytes",
    "flash_bytes",
    "head_bytes",
    "host_arena_bytes",
    "model_bytes",
    "accuracy_shared_weights",
    "accuracy_float",
    "accuracy_int8",
    "test_pictures",
    "seconds",
)
#: evaluations after which the best so far is noted
MOMENTS = (60, 120, 180, 240, 300)


def whole_search(folder: Path) -> dict[str, Any]:
    """The result of the search in `folder`, run or continued."""
    print(f"$ tinynas {COMMAND} --run {folder}", flush=True)
    subprocess.run([sys.executable, "-m", "tinynas", *COMMAND.split(), "--run", str(folder)], check=True)
    result = json.loads((folder / "result.json").read_text())
    return {"command": f"tinynas {COMMAND}", **{name: result[name] for name in KEPT}, **scores(folder)}


def random_search(folder: Path, whole: Path) -> dict[str, Any]:
    """The same request by random search on the supernet of `whole`, up to the choice of a winner."""
    asked = read_run(whole).request
    board = load_board(asked["board"])
    request = SearchRequest(
        board=board,
        budget=Budget(asked["sram_bytes"], asked["flash_bytes"]),
        runtime=asked["runtime"],
        data=asked["data"],
        data_dir=None,
        effort_name=asked["effort"],
        effort=Effort(**asked["numbers"]),
        seed=asked["seed"],
        strategy="random",
        min_share=asked["min_share"],
        elastic=asked["elastic_resolutions"],
        supernet=whole,
    )
    data = load_dataset(request.data, seed=request.seed)
    report = space_report(request, data, folder)
    with open_run(folder, request.to_dict() | {"data_fingerprint": fingerprint(data)}) as run:
        session = Session(request, run, data, LineObserver(remarks()))
        space = choose_space(session, report)
        winner = evolve(session, space, method_of(request).prepare(session, space))
    footprint = winner.footprint
    return {
        "genotype": winner.genotype,
        "macs": footprint.macs,
        "accuracy_shared_weights": winner.accuracy,
        **scores(folder),
    }


def scores(folder: Path) -> dict[str, Any]:
    """How many networks were scored, and the best accuracy after some of `MOMENTS`."""
    accuracies = [candidate.accuracy for candidate in read_run(folder).candidates]
    best = {str(count): round(max(accuracies[:count]), 4) for count in MOMENTS if count <= len(accuracies)}
    return {"evaluations": len(accuracies), "best_shared_accuracy_after": best}


def main() -> None:
    """Run both and record them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the two run folders are")
    runs = parser.parse_args().runs
    found = whole_search(runs / "cifar10-evolution")
    beside = random_search(runs / "cifar10-random", runs / "cifar10-evolution")
    figures = {"evolution": found, "random": beside}
    print(json.dumps(figures, indent=2))
    record("cifar10_search", figures)


if __name__ == "__main__":
    main()
