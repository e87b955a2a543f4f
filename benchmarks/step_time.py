"""How long a training step and a forward pass take by MACs: the constants of the time estimate.

    python benchmarks/step_time.py

Sub-networks of one CIFAR-sized space, batch 128, one trace for all, as supernet training runs them. Fits
seconds = overhead + rate x MACs x pictures and writes benchmarks/results/step_time.json. What
`tinynas/pipeline/estimate.py` has is rounded from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
from recording import record

from tinynas.cost import macs
from tinynas.networks import build_graph
from tinynas.spaces import Choice, make_space

BATCH, REPEATS = 128, 5
SPACE = make_space(0.3, 32, 32, 3, 10)


def median_seconds(work: Callable[[], object]) -> float:
    """The median of `REPEATS` runs after one that is not counted."""
    seconds = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))


def fitted(works: list[int], seconds: list[float]) -> dict[str, float]:
    """Overhead in seconds and seconds per MAC and picture, by least squares."""
    columns = np.stack([np.ones(len(works)), np.array(works, float) * BATCH], axis=1)
    (overhead, rate), *_ = np.linalg.lstsq(columns, np.array(seconds), rcond=None)
    return {"overhead_seconds": round(float(overhead), 4), "seconds_per_mac": float(f"{rate:.3g}")}


def main() -> None:
    """Time five sub-networks, fit, record."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from tinynas.supernet.backends import build_supernet, make_learner

    learner = make_learner(build_supernet(SPACE, 0), keras.optimizers.SGD(0.01, momentum=0.9), 0.1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, 32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, BATCH)
    choices = [SPACE.smallest(), *(SPACE.sample(rng) for _ in range(4)), SPACE.largest()]

    def step(choice: Choice) -> None:
        learner.accumulate(images, labels, choice, 1.0)
        learner.apply()

    works = [macs(build_graph(SPACE.genotype(choice))) for choice in choices]
    train = [median_seconds(lambda c=choice: step(c)) for choice in choices]  # type: ignore[misc]
    forward = [median_seconds(lambda c=choice: learner.statistics(images, c)) for choice in choices]  # type: ignore[misc]
    figures = {
        "batch": BATCH,
        "macs": works,
        "train_seconds": [round(s, 4) for s in train],
        "forward_seconds": [round(s, 4) for s in forward],
        "train": fitted(works, train),
        "forward": fitted(works, forward),
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    record("step_time", figures)


if __name__ == "__main__":
    main()
