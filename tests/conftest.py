"""What several test modules need: where the shared reference material lies, and how Hypothesis draws."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
# tables are as wide as in a file; pytest-xdist would have them as wide as its own lines
os.environ.pop("COLUMNS", None)

# machines are shared and slow at times: no example has a time limit. CI draws the same examples every time
settings.register_profile("tinynas", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("tinynas")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and models beside the checkout; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: it holds other people's models and data, never committed here")
    return folder


#: rooms whose tests train networks; two TensorFlow jobs at once collapse on two cores
_TRAINING_ROOMS = frozenset({"export", "pipeline", "study", "supernet"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share tests among workers: what trains stays on one, and goes first since it takes longest.

    The other tests stay together by file, whose fixtures they share.
    """
    trains = {item: _room(item) in _TRAINING_ROOMS for item in items}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("training" if trains[item] else str(item.path)))
    items.sort(key=lambda item: not trains[item])


def _room(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]
