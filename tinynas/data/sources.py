"""Finding the data a user names: the embedded set, a classic one, a folder of pictures, an .npz."""

from __future__ import annotations

import difflib
from pathlib import Path

from tinynas.data.arrays import dataset_from_arrays, load_npz, read_npz
from tinynas.data.dataset import Dataset
from tinynas.data.digits import NAME as DIGITS
from tinynas.data.digits import load_digits
from tinynas.data.folders import load_folder
from tinynas.data.keras_sets import CLASSIC_SETS, download
from tinynas.errors import DataError

DATASET_NAMES = (DIGITS, *CLASSIC_SETS)


def load_dataset(name_or_path: str, data_dir: Path | None = None, *, seed: int = 0) -> Dataset:
    """The data set called ``name_or_path``, or found there.

    Args:
        name_or_path: ``digits``, ``cifar10``, ``cifar100``, ``fashion_mnist``, ``mnist``; else a folder of
            class folders or an .npz. A folder that is called like a data set is meant by ``./digits``.
        data_dir: where NAME.npz is looked for first; then ``~/.cache/tinynas``; then Keras downloads.
        seed: parts data that come without a test set; parted ones do not depend on it.

    Raises:
        DataError: there is no such data, or it is damaged; the message names the file. Or `data_dir` is given
            for data that do not lie there.
    """
    if name_or_path in CLASSIC_SETS:
        return _load_classic(name_or_path, data_dir)
    is_here = name_or_path == DIGITS or Path(name_or_path).expanduser().exists()
    if data_dir is not None and is_here:
        raise DataError(
            f"--data-dir is looked into for {', '.join(CLASSIC_SETS)}, not for {name_or_path}: name one of "
            "those with --data, or leave it out"
        )
    if name_or_path == DIGITS:
        return load_digits()
    try:
        return _load_path(name_or_path, seed)
    except OSError as failure:
        where = failure.filename or name_or_path
        raise DataError(f"{where} cannot be read ({failure.strerror}): check its permissions") from failure


def _load_classic(name: str, data_dir: Path | None) -> Dataset:
    known = CLASSIC_SETS[name]
    folders = [folder for folder in (data_dir, Path.home() / ".cache" / "tinynas") if folder is not None]
    path = next((path for folder in folders if (path := folder.expanduser() / f"{name}.npz").is_file()), None)
    train, test = read_npz(path) if path else download(name)
    if test is None:
        raise DataError(f"{path} lacks x_test and y_test: {name} comes with a test set of its own")
    return dataset_from_arrays(
        name, str(path or name), train, test, classes=known.classes, augmentation=known.augmentation
    )


def _load_path(asked: str, seed: int) -> Dataset:
    path = Path(asked).expanduser()
    if not asked or not path.exists():
        raise DataError(_no_such_data(asked, path))
    if path.is_dir():
        return load_folder(path, seed)
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path} is neither a folder of class folders nor an .npz: give one of these")
    return load_npz(path, seed)


def _no_such_data(asked: str, path: Path) -> str:
    """One sentence that suggests the nearest name, or the nearest file beside the missing one."""
    beside = {entry.name: str(entry) for entry in path.parent.iterdir()} if path.parent.is_dir() else {}
    if "/" not in asked:
        beside |= {name: name for name in DATASET_NAMES}
    near = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"did you mean {beside[near[0]]}?" if near else "check the path"
    names = ", ".join(DATASET_NAMES)
    return f"there is no data set, folder or file '{asked}': {hint} (known by name: {names})"
