"""Where data comes from, and what is said when it is not as it should be: always with the file's name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tinynas.data import CropFlip, ShiftAugmentation, describe, load_dataset
from tinynas.data.folders import folder_resolution
from tinynas.data.keras_sets import CLASSIC_SETS
from tinynas.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
Y = np.arange(20) % 4


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def picture(path: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path)))
    noise = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path)
    return path


def complaint(name: str | Path, **options: Any) -> str:
    with pytest.raises(DataError) as failure:
        load_dataset(str(name), **options)
    message = str(failure.value)
    assert "\n" not in message
    return message


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a cache of data sets."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    return home


# --- arrays -------------------------------------------------------------------------------------------


def test_npz_with_its_own_test_set(tmp_path: Path) -> None:
    data = load_dataset(
        str(npz(tmp_path / "mine.npz", x_train=X, y_train=Y[:, None], x_test=X[:6], y_test=Y[:6]))
    )
    assert describe(data) == "mine: 20 + 6 pictures of 8x8x3, 4 classes"
    assert np.array_equal(data.train.images, X)
    assert data.train.labels.tolist() == Y.tolist()
    assert data.augmentation == CropFlip(1)


def test_npz_without_a_test_set_is_parted_by_seed(tmp_path: Path) -> None:
    path = str(npz(tmp_path / "mine.npz", x=X, y=Y))
    one, same, other = (load_dataset(path, seed=seed) for seed in (1, 1, 2))
    assert (len(one.train), len(one.test)) == (16, 4)
    assert sorted(one.test.labels.tolist()) == [0, 1, 2, 3]
    assert np.array_equal(one.test.images, same.test.images)
    assert not np.array_equal(one.test.images, other.test.images)


def test_grey_floats_and_named_classes(tmp_path: Path) -> None:
    grey = X[..., 0].astype(np.float64) / 255
    names = np.array(["fox", "ape", "owl", "bee"])[Y]
    data = load_dataset(
        str(npz(tmp_path / "mine.npz", x_train=grey, y_train=names, x_test=grey, y_test=names))
    )
    assert np.array_equal(data.train.images, X[..., :1])
    assert data.classes == ("ape", "bee", "fox", "owl")
    assert [data.classes[label] for label in data.train.labels] == names.tolist()
    assert isinstance(data.augmentation, ShiftAugmentation)


def test_sparse_labels_become_dense(tmp_path: Path) -> None:
    data = load_dataset(str(npz(tmp_path / "mine.npz", x=X, y=np.array([-3, 10, 9, 700])[Y])))
    assert data.classes == ("-3", "9", "10", "700")
    assert set(data.train.labels.tolist()) == {0, 1, 2, 3}


NAN = X.astype(np.float32) / 255
NAN[3, 2, 1, 0] = np.nan


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X, "y": Y[:-1]}, "20 pictures have 19 labels"),
        ({"x": X[:, :, :6], "y": Y}, "not square"),
        ({"x": X.transpose(0, 3, 1, 2), "y": Y}, "channels last"),
        ({"x": NAN, "y": Y}, "NaN"),
        ({"x": X.astype(np.float32), "y": Y}, "floats in 0..1"),
        ({"x": X.astype(np.float32) / -255, "y": Y}, "floats in 0..1"),
        ({"x": X.astype(np.int32), "y": Y}, "int32"),
        ({"x": X.reshape(20, -1), "y": Y}, "[n, height, width, channels]"),
        ({"x": X[:0], "y": Y[:0]}, "no pictures"),
        ({"x": X, "y": np.zeros(20, int)}, "one class"),
        ({"x": X, "y": np.eye(4)[Y]}, "one class number"),
        ({"x": X, "y": Y.astype(np.float32)}, "whole numbers or strings"),
        ({"x": X[:4], "y": Y[:4]}, "no class has two pictures"),
        ({"x": X, "labels": Y}, "it needs x_train"),
        ({"x": X, "y": Y.astype(object)}, "cannot be read"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, "label '4' is none of the 4 classes"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y.astype(str)}, "one kind"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :4, :4], "y_test": Y}, "make them one size"),
        ({"x_train": X, "y_train": Y, "x_test": X[:0], "y_test": Y[:0]}, "no pictures"),
    ],
)
def test_what_is_wrong_in_an_npz_is_said_with_its_name(
    tmp_path: Path, arrays: dict[str, np.ndarray], said: str
) -> None:
    path = npz(tmp_path / "mine.npz", **arrays)
    message = complaint(path)
    assert str(path) in message
    assert said in message


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[300:340] = bytes(40)
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("pictures, honestly")


def bare(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, X)


@pytest.mark.parametrize("spoil", [truncate, damage, empty, text, bare])
def test_a_damaged_npz_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = npz(tmp_path / "mine.npz", x=X, y=Y)
    spoil(path)
    assert str(path) in complaint(path)


# --- folders ------------------------------------------------------------------------------------------


def test_folder_of_class_folders(tmp_path: Path) -> None:
    for index in range(10):
        picture(tmp_path / "pets/dog" / f"{index}.png", (60 + index, 50))
        picture(tmp_path / "pets/cat" / f"{index}.JPG", (45, 80), mode="L" if index % 2 else "RGB")
    (tmp_path / "pets/cat/Thumbs.db").write_text("no picture")
    (tmp_path / "pets/cat/._1.jpg").write_text("no picture either")
    (tmp_path / "pets/.git").mkdir()
    data = load_dataset(str(tmp_path / "pets"), seed=3)
    assert describe(data) == "pets: 16 + 4 pictures of 48x48x3, 2 classes"
    assert data.classes == ("cat", "dog")
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    assert data.augmentation == CropFlip(6)
    assert np.array_equal(data.test.images, load_dataset(str(tmp_path / "pets"), seed=3).test.images)


@pytest.mark.parametrize("name", ["test", "val"])
def test_folder_with_its_own_test_set(tmp_path: Path, name: str) -> None:
    for label in ("a", "b"):
        for index in range(3):
            picture(tmp_path / "train" / label / f"{index}.png", (32, 32))
        picture(tmp_path / name / label / "0.png", (100, 40))
    data = load_dataset(str(tmp_path))
    assert (len(data.train), len(data.test), data.native_resolution) == (6, 2, 32)
    assert data.test.labels.tolist() == [0, 1]
    with Image.open(tmp_path / "train/b/1.png") as stored:  # already square and of that size: untouched
        assert np.array_equal(data.train.images[4], np.asarray(stored))


def test_the_centre_is_cut_out_upright(tmp_path: Path) -> None:
    wide = np.zeros((32, 64, 3), np.uint8)
    wide[:, :16], wide[:, 48:], wide[:16, 16:48] = 255, 255, 90  # the centre is grey above black
    for label in ("a", "b"):
        for index in range(2):
            (tmp_path / label).mkdir(exist_ok=True)
            exif = Image.Exif()
            exif[0x0112] = 3 if label == "b" else 1  # b was taken upside down
            Image.fromarray(wide).save(tmp_path / label / f"{index}.png", exif=exif)
    data = load_dataset(str(tmp_path))
    upright, turned = (data.train.images[data.train.labels == label][0] for label in (0, 1))
    assert (upright[:16] == 90).all()
    assert (upright[16:] == 0).all()
    assert np.array_equal(turned, upright[::-1])


@pytest.mark.parametrize(
    ("sides", "resolution"), [([500, 300, 2000], 224), ([97, 90, 104], 96), ([3], 16), ([40, 50], 48)]
)
def test_folder_resolution(sides: list[int], resolution: int) -> None:
    assert folder_resolution(sides) == resolution


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for label in ("train", "bus"):
        for index in range(2):
            picture(tmp_path / label / f"{index}.png")
    assert load_dataset(str(tmp_path)).classes == ("bus", "train")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:900])


def no_picture(path: Path) -> None:
    path.write_text("<html>404</html>")


def too_deep(path: Path) -> None:
    Image.fromarray(np.full((30, 40), 40000, np.uint16)).save(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_short, "cannot be read as a picture"),
        (no_picture, "cannot be read as a picture"),
        (empty, "cannot be read as a picture"),
        (too_deep, "convert it to 8 bits"),
    ],
)
def test_a_corrupt_picture_is_named(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    for index in range(3):
        picture(tmp_path / "a" / f"{index}.png")
        picture(tmp_path / "b" / f"{index}.png")
    spoil(tmp_path / "b/1.png")
    message = complaint(tmp_path)
    assert message.count(str(tmp_path / "b/1.png")) == 1
    assert said in message


def test_folders_that_cannot_be_a_data_set(tmp_path: Path) -> None:
    assert f"{tmp_path} holds no pictures" in complaint(tmp_path)
    picture(tmp_path / "loose.png")
    assert f"{tmp_path} holds loose pictures" in complaint(tmp_path)
    picture(tmp_path / "cat/1.png")
    assert f"{tmp_path} holds one class only (cat)" in complaint(tmp_path)
    (tmp_path / "dog").mkdir()
    assert f"{tmp_path / 'dog'} holds no pictures" in complaint(tmp_path)
    picture(tmp_path / "dog/1.png")
    assert f"{tmp_path}: no class has two pictures" in complaint(tmp_path)


def test_a_test_class_that_was_never_trained(tmp_path: Path) -> None:
    for path in ("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"):
        picture(tmp_path / path)
    assert str(tmp_path / "test/c") in complaint(tmp_path)


# --- names --------------------------------------------------------------------------------------------


def test_nearest_name_is_suggested(tmp_path: Path) -> None:
    assert "did you mean cifar10?" in complaint("cifr10")
    assert "fashion_mnist" in complaint("fashion-mnist")
    path = npz(tmp_path / "flowers.npz", x=X, y=Y)
    assert f"did you mean {path}?" in complaint(tmp_path / "flower.npz")
    assert "check the path" in complaint("/nowhere/at/all")
    assert "no data set" in complaint("")


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "pictures.csv"
    path.write_text("1,2,3")
    assert f"{path} is neither a folder" in complaint(path)


def test_classic_set_from_data_dir_and_then_cache(tmp_path: Path, no_cache: Path) -> None:
    cache = no_cache / ".cache" / "tinynas"
    cache.mkdir(parents=True)
    arrays = {"y_train": Y[:, None], "y_test": Y[:, None]}
    npz(cache / "cifar10.npz", x_train=X, x_test=X, **arrays)
    npz(tmp_path / "cifar10.npz", x_train=X[::-1], x_test=X, **arrays)
    cached, given = load_dataset("cifar10"), load_dataset("cifar10", tmp_path)
    assert np.array_equal(cached.train.images, X)
    assert np.array_equal(given.train.images, X[::-1])
    assert cached.classes[:4] == ("airplane", "automobile", "bird", "cat")
    assert cached.augmentation == CropFlip(4)
    # what lies elsewhere is not looked for there
    own = npz(tmp_path / "mine.npz", x=X, y=Y)
    assert "not for digits: name one of those with --data" in complaint("digits", data_dir=tmp_path)
    assert f"not for {own}" in complaint(own, data_dir=tmp_path)
    assert "did you mean cifar10" in complaint("cifar1O", data_dir=tmp_path)


def test_classic_set_with_wrong_labels_or_without_a_test_set(tmp_path: Path, no_cache: Path) -> None:
    path = npz(tmp_path / "mnist.npz", x_train=X[..., 0], y_train=Y + 8, x_test=X[..., 0], y_test=Y)
    message = complaint("mnist", data_dir=tmp_path)
    assert str(path) in message
    assert "none of the 10 classes (0 to 9)" in message
    npz(path, x=X[..., 0], y=Y)
    assert f"{path} lacks x_test" in complaint("mnist", data_dir=tmp_path)


def fake_keras(monkeypatch: pytest.MonkeyPatch, load_data: Callable[[], Any]) -> None:
    """A ``keras`` whose every data set is loaded by ``load_data``: no TensorFlow, no network."""
    loader = SimpleNamespace(load_data=load_data)
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(datasets=SimpleNamespace(mnist=loader)))


def test_without_a_network_the_file_to_bring_is_named(
    monkeypatch: pytest.MonkeyPatch, no_cache: Path
) -> None:
    def fail() -> None:
        raise Exception("URL fetch failure on https://example.org: None\nmore")

    fake_keras(monkeypatch, fail)
    message = complaint("mnist")
    assert "mnist.npz" in message
    assert "--data-dir" in message
    assert "URL fetch failure" in message


def test_without_keras_the_file_to_bring_is_named(monkeypatch: pytest.MonkeyPatch, no_cache: Path) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    assert "mnist.npz" in complaint("mnist")


def test_keras_downloads_and_keeps_standard_output_clean(
    monkeypatch: pytest.MonkeyPatch, no_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def load() -> Any:
        print("Downloading data from example.org")
        return (X[..., 0], Y), (X[:5, ..., 0], Y[:5])

    fake_keras(monkeypatch, load)
    data = load_dataset("mnist")
    assert describe(data) == "mnist: 20 + 5 pictures of 8x8x1, 10 classes"
    assert data.augmentation == ShiftAugmentation(2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Downloading" in captured.err


def test_classic_sets_have_as_many_names_as_classes() -> None:
    counts = {name: len(set(known.classes)) for name, known in CLASSIC_SETS.items()}
    assert counts == {"cifar10": 10, "cifar100": 100, "fashion_mnist": 10, "mnist": 10}
    assert list(CLASSIC_SETS["cifar100"].classes) == sorted(CLASSIC_SETS["cifar100"].classes)


def test_real_cifar10() -> None:
    path = Path.home() / ".cache" / "tinynas" / "cifar10.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent: make it by shared/data/get_cifar10.py")
    data = load_dataset("cifar10")
    assert describe(data) == "cifar10: 50,000 + 10,000 pictures of 32x32x3, 10 classes"
    assert np.bincount(data.train.labels).tolist() == [5000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    assert data.classes[data.test.labels[0]] == "cat"  # the first test picture, in the original order


def test_importing_the_room_imports_nothing_heavy() -> None:
    heavy = "{'PIL', 'sklearn', 'keras', 'tensorflow', 'matplotlib'}"
    code = f"import sys, tinynas.data; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
