"""The project's own files: PlatformIO's configuration, the wheel, and the commands people type first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BOARDS = {file.stem for file in (ROOT / "boards").glob("*.json")}


def test_platformio_ini_has_an_environment_for_every_board(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("platformio", reason="PlatformIO is in the extra 'firmware'")
    from platformio.project.config import ProjectConfig

    monkeypatch.chdir(ROOT)
    config = ProjectConfig(str(ROOT / "platformio.ini"))
    config.validate()
    assert Path(config.get("platformio", "boards_dir")) == ROOT / "boards"
    assert Path(config.get("platformio", "src_dir")) == ROOT / "firmware" / "src"
    boards = {env: config.get(f"env:{env}", "board") for env in config.envs()}
    assert set(boards.values()) == BOARDS
    assert all(env.removesuffix("_local") == board for env, board in boards.items())
    assert boards.keys() >= BOARDS  # one on the registry's platform for each, with or without an in-repo twin


@pytest.mark.parametrize(
    ("document", "things"),
    [
        ("CONTRIBUTING.md", [f"tinynas/{room.parent.name}/" for room in ROOT.glob("tinynas/*/__init__.py")]),
        ("firmware/README.md", [file.name for file in ROOT.glob("firmware/engine/*.[ch]")]),
    ],
)
def test_documents_name_every_room_and_every_file_of_the_engine(document: str, things: list[str]) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert len(things) > 10 and [thing for thing in things if f"`{thing}`" not in text] == []


@pytest.mark.parametrize(
    ("prefix", "platform"),
    [("stm32", "ststm32"), ("nrf", "nordicnrf52"), ("rp", "raspberrypi"), ("esp32", "espressif32")],
)
def test_each_environment_is_on_its_registry_platform(
    prefix: str, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("platformio", reason="PlatformIO is in the extra 'firmware'")
    from platformio.project.config import ProjectConfig

    monkeypatch.chdir(ROOT)
    config = ProjectConfig(str(ROOT / "platformio.ini"))
    envs = [env for env in config.envs() if env.startswith(prefix) and not env.endswith("_local")]
    assert envs
    assert {config.get(f"env:{env}", "platform").split("@")[0] for env in envs} == {platform}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    pytest.importorskip("hatchling", reason="hatchling is in the extra 'dev'")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked as pip does."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_the_wheel_carries_boards_and_firmware(wheel: Path, installed: Path, tmp_path: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"tinynas/_project/boards/{board}.json" for board in BOARDS} <= names
    assert {
        "tinynas/py.typed",
        "tinynas/_project/firmware/code.json",
        "tinynas/board.py",
        "tinynas/_project/platformio.ini",
    } <= names
    assert not any(name.startswith(("tests/", "boards/", "benchmarks/", "firmware/", ".")) for name in names)
    sources = {file.relative_to(ROOT).as_posix() for file in (ROOT / "firmware").rglob("*.[ch]*")}
    made = "firmware/lib/"  # by tinynas build
    assert {f"tinynas/_project/{name}" for name in sources if not name.startswith(made)} <= names
    listed = subprocess.run(
        [sys.executable, "-c", "import tinynas.board as b; print(b.__file__, *b.board_ids())"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)},
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert Path(listed[0]).is_relative_to(installed)  # the wheel's code, not the checkout's
    assert set(listed[1:]) == BOARDS


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None
    or any(find_spec(name) is None for name in ("unicorn", "SCons")),
    reason="needs gcc-arm-none-eabi and the extras firmware and virtual",
)
def test_an_installed_wheel_puts_a_model_on_a_board(installed: Path, tmp_path: Path) -> None:
    sys.path.append(str(ROOT / "tests" / "engine"))
    from random_network import random_tflite

    from tinynas.graph import GraphBuilder

    net = GraphBuilder("small", (8, 8, 1))
    graph = net.build(net.dense(net.global_mean(net.conv(net.input, 8, kernel=3)), 10))
    (tmp_path / "small.tflite").write_bytes(random_tflite(graph, seed=1))
    words = ["deploy", "small.tflite", "--board", "stm32f746", "--virtual", "--samples", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tinynas", *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed), "HOME": str(tmp_path / "home")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["elf"]).is_relative_to(tmp_path / "home" / ".cache" / "tinynas")
    assert found["wrong_samples"] == 0 and found["flash_bytes"]["elf"] == found["flash_bytes"]["board"]
    # what code is of lies elsewhere in a wheel, and is known to be the same
    assert "changed since" not in found["flash_prediction"]
    assert not any(installed.rglob(".pio")), "what is installed is only read"


def test_pre_commit_fetches_nothing() -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is in the extra 'dev'")
    from pre_commit.clientlib import load_config

    repos = load_config(str(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert {hook["id"] for hook in repos[0]["hooks"]} == {"ruff", "mypy", "lint-imports"}
    assert all(hook["language"] in ("system", "unsupported") for hook in repos[0]["hooks"])


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_the_two_commands() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "make search" in shown and "make test" in shown


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_python_too_old_is_told_in_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "search", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "needs Python 3.11 to 3.13" in done.stderr and "Python 3.9.2" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_ci_runs_what_developers_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("test")


def test_the_slow_tests_are_part_of_every_run() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "-m" not in options["addopts"].split()
    assert {marker.split(":")[0] for marker in options["markers"]} >= {"slow", "hardware"}
