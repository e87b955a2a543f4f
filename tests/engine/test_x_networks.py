"""Networks drawn from the spaces of X blocks, compiled to C, equal TFLite Micro byte by byte.

Grouped convolutions, strided projections, squeeze-and-excitation and additions with ReLU in one arena.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from micro_oracle import needs_compiler
from random_network import random_tflite

from tinynas.cost import macs
from tinynas.engine.emit import emit
from tinynas.engine.planner import plan_network
from tinynas.export.micro import measure_arena
from tinynas.export.verify import check_arena, host_arena
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import build_graph
from tinynas.pipeline.compile_check import check_compiled, random_samples
from tinynas.spaces import Pictures, find_family

pytestmark = needs_compiler

#: deeper networks would take the time of many
_MOST_BLOCKS, _MOST_MACS = 10, 4_000_000
_SAMPLES = 8


def _drawn(family: str, seed: int) -> Graph:
    """A small network of the family."""
    rng = np.random.default_rng(seed)
    listed = find_family(family).spaces(Pictures(int(rng.choice((12, 28, 32, 96))), 3, 10))
    while True:
        space = listed[int(rng.integers(len(listed)))]
        genotype = space.genotype(space.sample(rng))
        if len(genotype.blocks) <= _MOST_BLOCKS and macs(build_graph(genotype)) <= _MOST_MACS:
            return build_graph(genotype)


# no shrinking: every example is a build, and its network is told in the message
@pytest.mark.slow
@pytest.mark.parametrize("family", ["regnetx", "regnety", "anynetx-a"])
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_drawn_networks_equal_tflite_micro(
    family: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    planned = _drawn(family, seed)
    model = random_tflite(planned, seed)
    original = graph_from_bytes(model, planned.name)
    assert original.signature() == planned.signature() and macs(original) == macs(planned)
    check_arena(host_arena(planned), measure_arena(model))
    graph, folder = simplify(original), tmp_path_factory.mktemp("net")
    emit(plan_network(graph), "net", folder)
    inputs = random_samples(original, graph, _SAMPLES)
    check_compiled(folder, "net", model, original, graph, inputs, sanitize=True)
