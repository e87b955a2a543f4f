"""RegNets drawn from their spaces come out as int8 files that our engine and TFLite Micro run alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tinynas.cost import macs
from tinynas.engine.emit import emit
from tinynas.engine.planner import plan_network
from tinynas.export import convert_int8, float_logits, random_weights
from tinynas.export.verify import verify
from tinynas.graph import OpKind
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import build_graph
from tinynas.pipeline.compile_check import check_compiled, random_samples
from tinynas.spaces import Pictures, find_family


@pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler here")
@pytest.mark.parametrize("family", ["regnetx", "regnety"])
def test_a_drawn_regnet_is_exported_and_bit_exact(family: str, tmp_path: Path) -> None:
    space = find_family(family).spaces(Pictures(28, 3, 10))[4]
    rng = np.random.default_rng(5)
    drawn = (space.genotype(space.sample(rng)) for _ in range(200))
    genotype = next(g for g in drawn if len(g.blocks) <= 8 and macs(build_graph(g)) < 2_000_000)
    size, weights = genotype.resolution, random_weights(genotype, rng)
    pictures = rng.integers(0, 256, (12, size, size, 3), np.uint8)
    model = convert_int8(weights, pictures)
    logits = float_logits(weights, pictures)
    # the file is the plan; TFLM needs what was predicted and agrees with the reference kernels
    verify(model, genotype, images=pictures, labels=logits.argmax(axis=1), float_logits=logits, compared=4)
    original = graph_from_bytes(model, family)
    deep = [original.tensors[op.inputs[0]].shape[3] for op in original.operators if op.kind is OpKind.CONV_2D]
    seen = [original.tensors[op.inputs[1]].shape[3] for op in original.operators if op.kind is OpKind.CONV_2D]
    assert any(channels > depth > 1 for channels, depth in zip(deep, seen, strict=True))
    graph = simplify(original)
    emit(plan_network(graph), "net", tmp_path)
    check_compiled(tmp_path, "net", model, original, graph, random_samples(original, graph, 6))
