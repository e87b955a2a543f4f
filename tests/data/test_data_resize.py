"""Resizing: exact where it should be, antialiased, within range, and independent of the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tinynas.data import load_dataset, resize
from tinynas.data.resize import _weights
from tinynas.errors import RequestError

batches = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20), st.integers(1, 3))
)


@given(batches, st.integers(1, 48))
@settings(deadline=None)
def test_shape_type_and_range(images: np.ndarray, resolution: int) -> None:
    out = resize(images, resolution)
    assert out.shape == (len(images), resolution, resolution, images.shape[3])
    assert out.dtype == np.uint8
    flat, source = out.reshape(len(images), -1), images.reshape(len(images), -1)
    assert (flat.min(1) >= source.min(1)).all()
    assert (flat.max(1) <= source.max(1)).all()


@given(st.integers(1, 24), st.integers(0, 255))
def test_identity_at_the_same_size(side: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    assert np.array_equal(resize(images, side), images)


@given(st.integers(1, 400), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_weights_are_whole_positive_and_sum_to_one(source: int, target: int) -> None:
    weights = _weights(source, target)
    assert weights.shape == (target, source)
    assert (weights.sum(1) == 4096).all()
    assert (weights >= 0).all()
    assert (weights == np.rint(weights)).all()


@pytest.mark.parametrize("side", [5, 8, 20, 33, 48, 64])
def test_close_to_pillow(side: int) -> None:
    pixels = np.random.default_rng(side).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    expected = [
        np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BILINEAR)) for one in pixels
    ]
    difference = np.abs(resize(pixels, side).astype(int) - np.stack(expected))
    assert difference.max() <= 1


@given(st.integers(1, 30))
@settings(deadline=None, max_examples=20)
def test_a_picture_comes_out_the_same_in_any_batch(resolution: int) -> None:
    images = load_dataset("digits").test.images[:7]
    together = resize(images, resolution)
    alone = np.concatenate([resize(images[index : index + 1], resolution) for index in range(len(images))])
    assert np.array_equal(together, alone)


def test_chunks_join_without_a_seam() -> None:
    images = np.random.default_rng(0).integers(0, 256, (900, 32, 32, 3), dtype=np.uint8)
    whole = resize(images, 24)  # several chunks
    assert np.array_equal(whole[::37], resize(images[::37], 24))


def test_exact_whatever_the_order_of_summation() -> None:
    """The result equals the same formula in whole numbers, so no BLAS or thread count can change it."""
    images = np.random.default_rng(1).integers(0, 256, (3, 21, 21, 3), dtype=np.uint8)
    weights = _weights(21, 13).astype(np.int64)
    tall = np.rint(np.einsum("rh,nhwc->nrwc", weights, images.astype(np.int64)) / 256)
    square = np.rint(np.einsum("sw,nrwc->nrsc", weights, tall.astype(np.int64)) / 65536)
    assert np.array_equal(resize(images, 13), square)


def test_refuses_no_resolution() -> None:
    with pytest.raises(RequestError, match="at least 1"):
        resize(np.zeros((1, 4, 4, 1), np.uint8), 0)
