"""The data room: pictures and labels, and nothing else of the project.

``load_dataset`` finds them, ``hold_out`` and ``class_balanced`` part them, ``resize`` and
``BatchStream`` hand them to whoever trains.
"""

from tinynas.data.augment import Augmentation, CropFlip, NoAugmentation, ShiftAugmentation
from tinynas.data.dataset import Dataset, Split, describe, fingerprint
from tinynas.data.resize import resize
from tinynas.data.sources import DATASET_NAMES, load_dataset
from tinynas.data.splitting import class_balanced, hold_out
from tinynas.data.stream import BatchStream

__all__ = [
    "DATASET_NAMES",
    "Augmentation",
    "BatchStream",
    "CropFlip",
    "Dataset",
    "NoAugmentation",
    "ShiftAugmentation",
    "Split",
    "class_balanced",
    "describe",
    "fingerprint",
    "hold_out",
    "load_dataset",
    "resize",
]
