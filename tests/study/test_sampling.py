"""Networks of a study: reproducible one by one, different, within limits and bounds; or why there is none."""

from __future__ import annotations

import pytest
from study_fakes import Chain, limits

from tinynas.cost import conv_activations, macs
from tinynas.errors import RequestError
from tinynas.networks import PRESETS, build_graph, parse_genotype
from tinynas.study.sampling import Band, Complexity, sample_networks


def test_networks_are_different_within_the_band_and_described() -> None:
    band = Band(300, 900)
    networks = sample_networks("chain", Chain(), limits(), 12, 0, Complexity(band))
    assert len({network.genotype for network in networks}) == 12
    for number, network in enumerate(networks):
        graph = build_graph(parse_genotype(network.genotype))
        assert network.key == ("chain", number)
        assert network.macs == macs(graph) and network.macs in band
        assert network.activations == 16 * sum(network.parameters["widths"]) + 2
        assert network.sram_bytes == sum(tensor.elements for tensor in graph.tensors)


def test_parameters_and_activations_are_bounded() -> None:
    free = sample_networks("chain", Chain(), limits(), 30, 0)
    params, activations = (sorted(getattr(n, name) for n in free)[12] for name in ("params", "activations"))
    bounded = sample_networks(
        "chain", Chain(), limits(), 10, 0, Complexity(params=params, activations=activations)
    )
    assert len(bounded) == 10
    assert all(n.params <= params and n.activations <= activations for n in bounded)
    assert bounded != free[:10]


def test_bounds_are_named_with_what_sets_them() -> None:
    bounds = Complexity(Band(500_000, 2_000_000), params=1, activations=30_000)
    assert str(bounds) == "500k to 2M MACs and at most 1 parameters and at most 30k activations"
    with pytest.raises(
        RequestError, match=r"chain has .*at most 1 parameters.*: widen --macs, --params, --act"
    ):
        sample_networks("chain", Chain(), limits(), 1, 0, bounds)


def test_a_longer_study_begins_with_the_shorter_one() -> None:
    few, many = (sample_networks("chain", Chain(), limits(), n, 3) for n in (5, 9))
    assert many[:5] == few
    assert sample_networks("chain", Chain(), limits(), 5, 4) != few
    assert [n.genotype for n in sample_networks("other", Chain(), limits(), 5, 3)] != [
        n.genotype for n in few
    ]


def test_what_cannot_be_found_is_said() -> None:
    with pytest.raises(RequestError, match=r"no network found fits .* the nearest needs"):
        sample_networks("chain", Chain(), limits(sram_bytes=20), 3, 0)
    with pytest.raises(RequestError, match=r"none of 5,000 networks drawn from chain has .*widen --macs"):
        sample_networks("chain", Chain(), limits(), 3, 0, Complexity(Band(10**9, 10**10)))
    with pytest.raises(RequestError, match=r"no more than 8 networks that fit .*--networks"):
        sample_networks("chain", Chain(2), limits(), 9, 0)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("regnetx-200mf", 2.2),
        ("regnetx-400mf", 3.1),
        ("regnetx-600mf", 4.0),
        ("regnety-200mf", 2.2),
        ("regnety-400mf", 3.9),
    ],
)
def test_activations_are_those_of_the_paper(name: str, millions: float) -> None:
    """RegNet, tables 2 and 3: activations in millions at one decimal."""
    assert conv_activations(build_graph(PRESETS[name])) / 1e6 == pytest.approx(millions, abs=0.05)
