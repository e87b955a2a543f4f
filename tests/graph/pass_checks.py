"""What the tests of graph passes look at: kinds of operators, and outputs before and after."""

from __future__ import annotations

import numpy as np
from reference_net import random_inputs, run

from tinynas.graph import (
    Graph,
    OpKind,
)


def kinds(graph: Graph) -> list[OpKind]:
    return [operator.kind for operator in graph.operators]


def assert_same(before: Graph, after: Graph, runs: int = 3) -> None:
    """Equal outputs, element by element, for random inputs."""
    rng = np.random.default_rng(1)
    for _ in range(runs):
        inputs = random_inputs(before, rng)
        shaped = [x.reshape(after.tensors[i].shape) for x, i in zip(inputs, after.inputs, strict=True)]
        for old, new in zip(run(before, *inputs), run(after, *shaped), strict=True):
            np.testing.assert_array_equal(old.ravel(), new.ravel())
