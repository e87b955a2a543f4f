"""The classic data sets that ``keras.datasets`` downloads: what they are called and what they hold.

The one place of this room that may import Keras, lazily, and only for its downloads.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.data.augment import Augmentation, CropFlip, ShiftAugmentation
from tinynas.errors import DataError

Arrays = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class ClassicSet:
    """The names of a classic set's classes, by label, and the augmentation that suits its pictures."""

    classes: tuple[str, ...]
    augmentation: Augmentation


_CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
    shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
    telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
_FASHION = "T-shirt trouser pullover dress coat sandal shirt sneaker bag ankle_boot"

CLASSIC_SETS = {
    "cifar10": ClassicSet(tuple(_CIFAR10.split()), CropFlip(4)),
    "cifar100": ClassicSet(tuple(_CIFAR100.split()), CropFlip(4)),
    "fashion_mnist": ClassicSet(tuple(_FASHION.split()), CropFlip(2)),
    "mnist": ClassicSet(tuple("0123456789"), ShiftAugmentation(2)),
}


def download(name: str) -> tuple[Arrays, Arrays]:
    """(x_train, y_train), (x_test, y_test) of a classic set, as Keras hands them out.

    Raises:
        DataError: Keras is absent or cannot download; says which file to bring instead.
    """
    try:
        # Keras reports its progress on standard output, which belongs to --json
        with contextlib.redirect_stdout(sys.stderr):
            from keras import datasets  # type: ignore[import-untyped, unused-ignore]

            (x_train, y_train), (x_test, y_test) = getattr(datasets, name).load_data()
    except Exception as failure:  # Keras raises a bare Exception when a download fails
        reason = str(failure).strip().splitlines() or [type(failure).__name__]
        raise DataError(
            f"{name} could not be downloaded ({reason[0]}): pass --data-dir with a folder that holds"
            f" {name}.npz (arrays x_train, y_train, x_test, y_test)"
        ) from failure
    return (np.asarray(x_train), np.asarray(y_train)), (np.asarray(x_test), np.asarray(y_test))
