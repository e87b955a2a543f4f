"""Samples for a model that somebody else trained: pictures of a data set, or an array of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.data import Dataset, class_balanced, load_dataset, resize
from tinynas.data.pixels import normalised
from tinynas.errors import DataError

Floats = NDArray[np.float32]

ARRAY = ".npy"


@dataclass(frozen=True, slots=True)
class SampleSource:
    """What `--data` means, None where it was not given: a data set by name or path, or an .npy file.

    `mean` and `std` are what pixels of 0 to 1 were normalised by in training: one number, or one a channel.
    """

    data: str | None = None
    data_dir: Path | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    seed: int = 0

    @property
    def array(self) -> Path | None:
        """The .npy file, if it is one: samples as the model itself takes them, float."""
        is_array = self.data is not None and self.data.lower().endswith(ARRAY)
        return Path(self.data) if is_array and self.data is not None else None

    def dataset(self) -> Dataset:
        """The pictures meant.

        Raises:
            DataError: there are none such.
        """
        return load_dataset(self.data or "", self.data_dir, seed=self.seed)

    def calibration(self, shape: tuple[int, ...], count: int) -> Floats:
        """Training pictures [count, *shape], of all classes alike, as the model sees them.

        Raises:
            DataError: pictures are not what the model takes.
        """
        return self._normalised(class_balanced(self.dataset().train, count, self.seed), shape)

    def test(self, shape: tuple[int, ...], count: int) -> tuple[Floats, NDArray[np.int64]]:
        """The first `count` test pictures [n, *shape] as the model sees them, and their labels [n].

        Raises:
            DataError: pictures are not what the model takes.
        """
        test = self.dataset().test
        chosen = test.take(np.arange(min(count, len(test))))
        return self._normalised(chosen.images, shape), chosen.labels

    def _normalised(self, images: NDArray[np.uint8], shape: tuple[int, ...]) -> Floats:
        if len(shape) != 3 or shape[0] != shape[1] or shape[2] != images.shape[3]:
            raise DataError(
                f"the model takes samples of {list(shape)} and the pictures of {self.data} are square with "
                f"{images.shape[3]} channels: give other --data, or an .npy of samples as it takes them"
            )
        for name, values in (("--mean", self.mean), ("--std", self.std)):
            if len(values) not in (1, shape[2]):
                raise DataError(
                    f"{name} has {len(values)} numbers for {shape[2]} channels: give one, or one each"
                )
        return normalised(resize(images, shape[0]), self.mean, self.std)


def read_array(file: Path) -> Floats:
    """The samples in `file`, [n, ...].

    Raises:
        DataError: it cannot be read, is empty, or holds no real numbers.
    """
    values = load_npy(file)
    if values.ndim < 2 or not values.size or values.dtype.kind not in "fiu":
        raise DataError(f"{file} is no array of samples [n, ...] of real numbers: write one with numpy.save")
    real: Floats = values.astype(np.float32)
    if not np.isfinite(real).all():
        raise DataError(f"{file} holds values that are not finite: leave those samples out")
    return real


def load_npy(file: Path) -> NDArray[Any]:
    """The array in `file`.

    Raises:
        DataError: it is missing, damaged, or no .npy.
    """
    try:
        values = np.load(file, allow_pickle=False)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}; check the path") from error
    except (ValueError, EOFError) as error:
        raise DataError(f"{file} is not a whole .npy file ({error}): write it with numpy.save") from error
    if not isinstance(values, np.ndarray):
        raise DataError(f"{file} holds several arrays: write one with numpy.save")
    return values
