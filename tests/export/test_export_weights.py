"""Folding batch normalisation, and the shapes a network's weights must have. No TensorFlow here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.cost.compute import weights_and_biases
from tinynas.errors import VerificationError
from tinynas.export.weights import LayerWeights, NetworkWeights, RawConvolution, random_weights
from tinynas.networks import build_graph, parse_genotype

GENOTYPE = parse_genotype("r8x3 conv_k3_s2_c8 ir_k3_s1_e1_c8_noskip ir_k5_s1_e3_c8_se0.5 fc_c4")


def _raw(kernel_shape: tuple[int, ...], channels: int, seed: int) -> RawConvolution:
    rng = np.random.default_rng(seed)
    gamma, beta, mean = rng.normal(size=(3, channels)).astype(np.float32)
    variance = rng.uniform(0.1, 2, channels).astype(np.float32)
    return RawConvolution(rng.normal(size=kernel_shape).astype(np.float32), gamma, beta, mean, variance, 1e-3)


def _normalise(raw: RawConvolution, y: np.ndarray) -> np.ndarray:
    return raw.gamma * (y - raw.mean) / np.sqrt(raw.variance + raw.epsilon) + raw.beta


@settings(deadline=None, max_examples=30)
@given(
    inputs=st.integers(1, 6), outputs=st.integers(1, 6), kernel=st.integers(1, 3), seed=st.integers(0, 999)
)
def test_folding_changes_no_output(inputs: int, outputs: int, kernel: int, seed: int) -> None:
    """A window of input times the folded kernel is the normalised product, for both kinds of kernel."""
    window = np.random.default_rng(seed).normal(size=(kernel, kernel, inputs)).astype(np.float32)
    raw = _raw((kernel, kernel, inputs, outputs), outputs, seed)
    folded = raw.fold()
    expected = _normalise(raw, np.einsum("ijc,ijco->o", window, raw.kernel))
    np.testing.assert_allclose(
        np.einsum("ijc,ijco->o", window, folded.kernel) + folded.bias, expected, rtol=1e-3, atol=1e-4
    )
    raw = _raw((kernel, kernel, inputs, 1), inputs, seed)
    folded = raw.fold()
    expected = _normalise(raw, np.einsum("ijc,ijco->c", window, raw.kernel))
    np.testing.assert_allclose(
        np.einsum("ijc,ijco->c", window, folded.kernel) + folded.bias, expected, rtol=1e-3, atol=1e-4
    )


def test_random_weights_fill_the_planned_graph() -> None:
    weights = random_weights(GENOTYPE, np.random.default_rng(0))
    elements = sum(layer.kernel.size + layer.bias.size for layer in weights.layers)
    assert elements == weights_and_biases(build_graph(GENOTYPE))
    assert all(layer.kernel.dtype == layer.bias.dtype == np.float32 for layer in weights.layers)


def test_a_missing_layer_is_a_mistake() -> None:
    weights = random_weights(GENOTYPE, np.random.default_rng(0))
    with pytest.raises(ValueError, match="weighted layers"):
        NetworkWeights(GENOTYPE, weights.layers[:-1])


def test_a_kernel_of_another_shape_is_a_mistake() -> None:
    first, *others = random_weights(GENOTYPE, np.random.default_rng(0)).layers
    turned = replace(first, kernel=first.kernel.transpose(0, 1, 3, 2))
    with pytest.raises(ValueError, match="layer 0"):
        NetworkWeights(GENOTYPE, (turned, *others))


def test_diverged_training_is_reported() -> None:
    *others, last = random_weights(GENOTYPE, np.random.default_rng(0)).layers
    with pytest.raises(VerificationError, match="diverged"):
        NetworkWeights(GENOTYPE, (*others, LayerWeights(last.kernel, last.bias * np.float32("nan"))))
