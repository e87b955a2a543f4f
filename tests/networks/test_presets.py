"""The published networks: parameters and MACs to the last digit."""

from __future__ import annotations

import pytest

from tinynas.cost.compute import macs, weights_and_biases
from tinynas.errors import RequestError
from tinynas.graph import OpKind
from tinynas.networks import (
    PRESETS,
    build_graph,
    find_network,
    make_divisible,
    parse_genotype,
    trainable_params,
)

#: published params (without batch-norm statistics) and MACs (without biases)
PUBLISHED = {
    "mcunet-in0": (749_840, 6_364_224),
    "mcunet-in1": (636_232, 12_790_096),
    "mcunet-in2": (729_392, 67_287_200),
    "mcunet-in3": (737_408, 81_785_520),
    "mcunet-in4": (1_732_640, 125_874_400),
    "mnasnet-a1": (3_887_038, 311_579_072),
    "mnasnet-b1": (4_383_312, 314_415_872),
    "mobilenetv2-0.35": (1_677_128, 59_285_808),
}
#: published params (without moving statistics) and MACs with the biases of layers that are not normalised
PUBLISHED_REGNETS = {
    "regnetx-200mf": (2_684_792, 199_040_872),
    "regnetx-400mf": (5_157_512, 397_678_568),
    "regnetx-600mf": (6_196_040, 600_891_112),
    "regnety-200mf": (3_162_996, 199_519_076),
    "regnety-400mf": (4_344_144, 401_849_056),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameters_and_macs(name: str) -> None:
    genotype = PRESETS[name]
    assert (trainable_params(genotype), macs(build_graph(genotype))) == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED_REGNETS)
def test_published_regnets(name: str) -> None:
    """pycls counts a bias as a MAC, where a layer is trained with one: classifier and squeezes."""
    genotype, graph = PRESETS[name], build_graph(PRESETS[name])
    params = trainable_params(genotype)
    folded = params - weights_and_biases(graph)
    biases = sum(tensor.elements for tensor in graph.constants() if tensor.name.endswith(":bias")) - folded
    assert (params, macs(graph) + biases) == PUBLISHED_REGNETS[name]
    assert biases == genotype.classes or name.startswith("regnety")


def test_every_preset_is_tested_and_survives_its_text() -> None:
    assert set(PRESETS) == set(PUBLISHED) | set(PUBLISHED_REGNETS)
    for genotype in PRESETS.values():
        assert parse_genotype(str(genotype)) == genotype


def test_batch_norm_is_the_only_difference_to_the_deployed_count() -> None:
    """A folded convolution loses one of its two batch-norm parameters a channel."""
    graph = build_graph(PRESETS["mcunet-in0"])
    convolutions = {OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D}
    channels = sum(graph.tensors[op.outputs[0]].shape[3] for op in graph.operators if op.kind in convolutions)
    assert trainable_params(PRESETS["mcunet-in0"]) - weights_and_biases(graph) == channels


def test_find_network_knows_names_and_texts_and_suggests() -> None:
    assert find_network("mcunet-in2") is PRESETS["mcunet-in2"]
    assert find_network("r8x1 conv_k3_c8 fc_c2").resolution == 8
    with pytest.raises(RequestError, match="mcunet-in2"):
        find_network("mcunet-in-2")


@pytest.mark.parametrize(
    ("value", "rounded"), [(6.4, 8), (19.2, 24), (28.8, 32), (12.8, 16), (64, 64), (11.9, 16)]
)
def test_make_divisible_never_loses_a_tenth(value: float, rounded: int) -> None:
    assert make_divisible(value) == rounded
    assert make_divisible(value) >= 0.9 * value
