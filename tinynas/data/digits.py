"""scikit-learn's handwritten digits: the embedded data set, there without a network or a download."""

from __future__ import annotations

import numpy as np

from tinynas.data.augment import ShiftAugmentation
from tinynas.data.dataset import Dataset, Split
from tinynas.data.splitting import hold_out

NAME = "digits"
_TEST_SHARE = 0.2
_SPLIT_SEED = 0  # the test set is a fact of the data set, whatever the seed of a run
_BRIGHTEST = 16


def load_digits() -> Dataset:
    """1,797 digits of 8x8x1, 80/20 by class; 0..16 grey levels spread over 0..255."""
    from sklearn import datasets  # type: ignore[import-untyped, unused-ignore]

    pictures, labels = datasets.load_digits(return_X_y=True)
    grey = np.rint(pictures.reshape(-1, 8, 8, 1) * (255 / _BRIGHTEST)).astype(np.uint8)
    train, test = hold_out(Split(grey, labels.astype(np.int64)), _TEST_SHARE, _SPLIT_SEED)
    return Dataset(NAME, train, test, tuple(str(digit) for digit in range(10)), ShiftAugmentation(1))
