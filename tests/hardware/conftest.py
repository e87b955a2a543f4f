"""A real board for these tests, or the virtual one: `pytest tests/hardware --port /dev/ttyACM0`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinynas.device.client import Client
from tinynas.device.link import Link
from tinynas.device.ports import DEFAULT_BAUD, SerialLine

sys.path.append(str(Path(__file__).resolve().parent.parent / "device"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """What these tests are told of the board."""
    group = parser.getgroup("hardware", "a board with tinynas's firmware")
    group.addoption("--port", help="the board's serial port, or any URL that pyserial opens")
    group.addoption("--baud", type=int, default=DEFAULT_BAUD, help="bits a second (default: %(default)s)")
    group.addoption(
        "--model", help="the .tflite on the board: its outputs are then compared with TFLite Micro's"
    )


def option(request: pytest.FixtureRequest, name: str) -> str:
    """The option, or a skipped test: with no folder named pytest does not even know of it."""
    value = request.config.getoption(name, default=None)
    if value is None:
        also = " --model M.tflite" if name == "model" else ""
        pytest.skip(f"needs a board: pytest tests/hardware --port /dev/ttyACM0{also}")
    return str(value)


@pytest.fixture(scope="session")
def line(request: pytest.FixtureRequest) -> Iterator[SerialLine]:
    """The port, open."""
    with SerialLine(option(request, "port"), int(request.config.getoption("baud"))) as opened:
        yield opened


@pytest.fixture
def client(line: SerialLine) -> Client:
    """The board, having said hello."""
    return Client(Link(line))


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest) -> bytes:
    """The .tflite that was compiled into the firmware."""
    return Path(option(request, "model")).read_bytes()
