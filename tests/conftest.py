"""What several test modules need: where the shared reference material lies, and how Hypothesis draws."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

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
