"""Batches and augmentations: addressed by number, without memory, and true to the pictures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.data import Augmentation, BatchStream, CropFlip, NoAugmentation, ShiftAugmentation, Split, resize
from tinynas.errors import RequestError

AUGMENTATIONS = [
    NoAugmentation(),
    ShiftAugmentation(1),
    ShiftAugmentation(0),
    CropFlip(2),
    CropFlip(3, flip=False),
]


def random_split(count: int, side: int = 6, channels: int = 3) -> Split:
    rng = np.random.default_rng(count)
    images = rng.integers(1, 256, (count, side, side, channels), dtype=np.uint8)
    return Split(images, rng.integers(0, 5, count))


@given(
    st.integers(1, 40),
    st.integers(1, 50),
    st.lists(st.integers(0, 200), min_size=1, max_size=12),
    st.integers(0, 2**40),
)
@settings(deadline=None, max_examples=50)
def test_a_batch_does_not_depend_on_what_was_asked_before(
    count: int, batch_size: int, steps: list[int], seed: int
) -> None:
    split = random_split(count)
    used = BatchStream(split, batch_size=batch_size, augmentation=CropFlip(2), seed=seed)
    for step in steps:
        fresh = BatchStream(split, batch_size=batch_size, augmentation=CropFlip(2), seed=seed)
        for one, other in zip(used.batch(step, 8), fresh.batch(step, 8), strict=True):
            assert np.array_equal(one, other)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 3), st.integers(0, 2**31))
@settings(deadline=None)
def test_an_epoch_shows_no_picture_twice_and_drops_less_than_a_batch(
    count: int, batch_size: int, epoch: int, seed: int
) -> None:
    stream = BatchStream(random_split(count), batch_size=batch_size, seed=seed)
    first = epoch * stream.steps_per_epoch
    shown = [*itertools.chain(*(stream.indices(first + k).tolist() for k in range(stream.steps_per_epoch)))]
    assert len(set(shown)) == len(shown)
    assert len(shown) > count - min(batch_size, count)
    if count % min(batch_size, count) == 0:
        assert sorted(shown) == list(range(count))


def test_labels_stay_with_their_pictures_and_epochs_differ() -> None:
    split = random_split(20)
    stream = BatchStream(split, batch_size=5, seed=3)
    assert stream.steps_per_epoch == 4
    images, labels = stream.batch(6)
    assert np.array_equal(images, split.images[stream.indices(6)])
    assert np.array_equal(labels, split.labels[stream.indices(6)])
    first, second = ([stream.indices(4 * epoch + k).tolist() for k in range(4)] for epoch in (0, 1))
    assert first != second
    assert first != [BatchStream(split, batch_size=5, seed=4).indices(k).tolist() for k in range(4)]


def test_one_seed_gives_the_same_crops_at_every_resolution() -> None:
    stream = BatchStream(random_split(9), batch_size=4, augmentation=CropFlip(2), seed=1)
    native, _ = stream.batch(2)
    assert native.shape == (4, 6, 6, 3)
    assert np.array_equal(stream.batch(2, 11)[0], resize(native, 11))


def test_every_step_and_seed_augments_afresh() -> None:
    split = Split(
        np.repeat(random_split(1).images, 8, axis=0), np.zeros(8, np.int64)
    )  # one picture, eight times
    streams = [BatchStream(split, batch_size=8, augmentation=CropFlip(2), seed=seed) for seed in (0, 1)]
    results = {stream.batch(step)[0].tobytes() for stream in streams for step in range(5)}
    assert len(results) == 10


def test_a_stream_refuses_nonsense() -> None:
    split = random_split(3)
    with pytest.raises(RequestError, match="at least 1"):
        BatchStream(split, batch_size=0)
    with pytest.raises(RequestError, match="seed -1"):
        BatchStream(split, batch_size=1, seed=-1)
    with pytest.raises(RequestError, match="count from 0"):
        BatchStream(split, batch_size=1).batch(-1)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=repr)
@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_keeps_shape_type_and_source(augmentation: Augmentation, channels: int) -> None:
    images = random_split(30, channels=channels).images
    before = images.copy()
    out = augmentation(images, np.random.default_rng(0))
    assert out.shape == images.shape
    assert out.dtype == np.uint8
    assert np.array_equal(images, before)
    assert np.array_equal(out, augmentation(images, np.random.default_rng(0)))


def shifted(picture: np.ndarray, down: int, right: int, mode: str, margin: int) -> np.ndarray:
    side = len(picture)
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode=mode)  # type: ignore[call-overload]
    window: np.ndarray = padded[down : down + side, right : right + side]
    return window


@pytest.mark.parametrize(
    ("augmentation", "mode", "margin", "flips"),
    [
        (NoAugmentation(), "constant", 0, False),
        (ShiftAugmentation(1), "constant", 1, False),
        (CropFlip(2), "symmetric", 2, True),
        (CropFlip(1, flip=False), "symmetric", 1, False),
    ],
)
def test_every_result_is_one_of_the_allowed_windows_and_all_occur(
    augmentation: Augmentation, mode: str, margin: int, flips: bool
) -> None:
    picture = random_split(1).images[0]
    windows = [
        shifted(picture, down, right, mode, margin)
        for down, right in itertools.product(range(2 * margin + 1), repeat=2)
    ]
    allowed = {window.tobytes() for window in windows}
    if flips:
        allowed |= {window[:, ::-1].tobytes() for window in windows}
    out = augmentation(np.repeat(picture[None], 1000, axis=0), np.random.default_rng(0))
    assert {one.tobytes() for one in out} == allowed


@pytest.mark.parametrize("kind", [ShiftAugmentation, CropFlip])
def test_negative_moves_are_refused(kind: type[ShiftAugmentation | CropFlip]) -> None:
    with pytest.raises(ValueError, match="-1 pixels"):
        kind(-1)
