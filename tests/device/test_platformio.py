"""PlatformIO as a process: what is missing is found first, failures become one sentence, nothing hangs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cross import ROOT, needs_arm_gcc

from tinynas.board import board_ids
from tinynas.device import platformio
from tinynas.device.elf import firmware_size
from tinynas.device.platformio import (
    Environment,
    build,
    choose_environment,
    missing,
    read_environments,
    upload,
)
from tinynas.device.project import find_project
from tinynas.errors import BoardError, DeviceError, RequestError, ToolchainError

REGISTRY = Environment("stm32f746", "stm32f746", "ststm32@^19")
LOCAL = Environment("stm32f746_local", "stm32f746", "symlink:///anywhere")

Pretend = Callable[[str], Path]

CONFIG = """
print('[["platformio", []],'
      ' ["env:a", [["board", "a"], ["platform", "ststm32@^19"]]],'
      ' ["env:a_local", [["board", "a"], ["platform", "symlink:///x"]]],'
      ' ["env:b", [["board", "b"], ["platform", "owner/espressif32 @ ~6.1"]]]]')
"""


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """A project in `tmp_path` and a PlatformIO that runs the Python text it is given; no tool is missing."""
    package = tmp_path / "modules" / "platformio"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (tmp_path / "platformio.ini").touch()
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(platformio, "_missing_tools", lambda: None)

    def write(script: str) -> Path:
        (package / "__main__.py").write_text(script)
        return tmp_path

    return write


def test_environments_are_read_and_the_registrys_is_preferred(pretend: Pretend) -> None:
    project = pretend(CONFIG)
    assert choose_environment("a", project).name == "a_local"
    installed = project / ".pio" / "platforms" / "ststm32"
    installed.mkdir(parents=True)
    (installed / "platform.json").write_text('{"name": "ststm32"}')
    assert choose_environment("a", project).name == "a"
    with pytest.raises(BoardError, match=r"add \[env:c\]"):
        choose_environment("c", project)
    with pytest.raises(ToolchainError, match=r"espressif32 is not installed.*pio pkg install -e b"):
        choose_environment("b", project)


def test_a_damaged_ini_file_is_told(pretend: Pretend) -> None:
    project = pretend("import sys; sys.exit('Error: line 7 is odd')")
    with pytest.raises(ToolchainError, match=r"cannot read .*platformio\.ini: line 7 is odd"):
        choose_environment("a", project)


def test_what_is_missing_is_named_without_starting_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "arm-none-eabi-gcc is not installed" in (missing(LOCAL, tmp_path) or "")
    assert "ststm32 is not installed" in (missing(REGISTRY, tmp_path) or "")
    began = time.monotonic()
    for environment in (LOCAL, REGISTRY):
        with pytest.raises(ToolchainError, match="is not installed"):
            build(environment, tmp_path)
        with pytest.raises(ToolchainError, match="is not installed"):
            upload(environment, tmp_path)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(("c_library", "word"), [("nano.specs", "C library"), ("/x/nano.specs", "SCons")])
def test_half_a_toolchain_is_named(
    c_library: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "arm-none-eabi-gcc"
    compiler.write_text(f"#!/bin/sh\necho {c_library}\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert word in (missing(LOCAL, tmp_path) or "")


def test_without_platformio_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ToolchainError, match=r"PlatformIO is not installed: pip install 'tinynas\[firmware\]'"
    ):
        choose_environment("a", tmp_path)


def test_a_network_too_large_is_the_requests_fault(pretend: Pretend) -> None:
    project = pretend('import sys; print("ld: region `RAM\' overflowed by 12345 bytes"); sys.exit(1)')
    with pytest.raises(RequestError, match="12,345 B more RAM than stm32f746 has"):
        build(LOCAL, project)


def test_a_full_disk_is_not_the_compilers_fault(pretend: Pretend) -> None:
    said = "x.s: Fatal error: can\\'t write 9 bytes to section .text of x.o: \\'No space left on device\\'"
    project = pretend(f"import sys; print('{said}'); sys.exit(1)")
    with pytest.raises(ToolchainError, match="no space was left on a disk while stm32f746_local was built"):
        build(LOCAL, project)


def test_a_failed_build_says_the_first_fault_and_keeps_the_log(pretend: Pretend) -> None:
    project = pretend(
        "import sys; print('Compiling'); print('a.c:3: error: no'); print('*** [x]'); sys.exit(1)"
    )
    with pytest.raises(
        ToolchainError, match=r"could not build stm32f746_local: a\.c:3: error: no; all"
    ) as failed:
        build(LOCAL, project)
    log = project / ".pio" / "build" / LOCAL.name / "build.log"
    assert str(log) in str(failed.value) and "Compiling" in log.read_text()


def test_success_without_a_file_is_a_failure(pretend: Pretend) -> None:
    with pytest.raises(ToolchainError, match=r"made no .*firmware\.elf"):
        build(LOCAL, pretend("print('SUCCESS')"))


def test_folders_and_settings_reach_platformio(pretend: Pretend, tmp_path: Path) -> None:
    project = pretend(
        "import os, pathlib, sys\n"
        "folder = pathlib.Path(os.environ['PLATFORMIO_BUILD_DIR']) / sys.argv[sys.argv.index('-e') + 1]\n"
        "folder.mkdir(parents=True)\n"
        "(folder / 'firmware.elf').write_text(os.environ['PLATFORMIO_LIB_DIR'])\n"
        "(folder / 'firmware.bin').write_text(os.environ['PLATFORMIO_SETTING_ENABLE_TELEMETRY'])\n"
        "assert sys.stdin.read() == ''\n"
    )
    made = build(LOCAL, project, libraries=tmp_path / "lib", build_dir=tmp_path / "out")
    assert made.elf == tmp_path / "out" / LOCAL.name / "firmware.elf"
    assert made.elf.read_text() == str(tmp_path / "lib")
    assert made.binary.read_text() == "no"


def test_an_upload_names_port_and_fault(
    pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openocd = tmp_path / "openocd"
    openocd.write_text("#!/bin/sh\n")
    openocd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    project = pretend("import sys; print('Error: no probe at', sys.argv[-1]); sys.exit(1)")
    with pytest.raises(DeviceError, match=r"written to stm32f746 \(no probe at /dev/x\): check the cable"):
        upload(LOCAL, project, port="/dev/x")


def test_the_twin_writes_real_boards_with_openocd_only(
    pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ToolchainError, match=r"openocd, which writes .* apt install openocd, or use --virtual"
    ):
        upload(LOCAL, pretend("raise AssertionError"))


def test_what_hangs_is_ended_with_its_children(pretend: Pretend, tmp_path: Path) -> None:
    project = pretend(
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    began = time.monotonic()
    with pytest.raises(ToolchainError, match=r"did not finish `run -e stm32f746_local` within 2 s"):
        build(LOCAL, project, seconds=2)
    assert time.monotonic() - began < 10
    child = int((tmp_path / "child").read_text())
    asked = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False
    )
    assert asked.stdout.strip()[:1] in ("", "Z")  # gone, or a zombie whose parent is gone


@pytest.fixture(scope="module")
def library(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library `model`."""
    model = shared / "models" / "mlperftiny__kws_ref_model.tflite"
    if not model.is_file():
        pytest.skip(f"{model} is absent")
    folder = tmp_path_factory.mktemp("lib")
    make_library(model, folder / "model")
    return folder


@pytest.mark.slow
@needs_arm_gcc
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("platformio", "SCons", "elftools")),
    reason="PlatformIO and SCons are in the extra 'firmware'",
)
def test_the_real_platformio_builds_a_real_network(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = choose_environment("stm32f746", find_project())
    made = build(environment, ROOT, libraries=library, build_dir=tmp_path / "build")
    size = firmware_size(made.elf)
    assert size.flash_bytes == made.binary.stat().st_size
    assert size.arena_bytes is not None and size.stack_bytes == 4096 and not size.has_heap
    assert b"stm32f746\0" in made.binary.read_bytes()
    # the same sources give the same bytes
    again = build(environment, ROOT, libraries=library, build_dir=tmp_path / "again")
    assert again.binary.read_bytes() == made.binary.read_bytes()
    monkeypatch.setenv("PLATFORMIO_BUILD_FLAGS", "-DTN_PORTABLE")  # the kernels' other path
    portable = build(environment, ROOT, libraries=library, build_dir=tmp_path / "portable")
    assert portable.binary.read_bytes() != made.binary.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("board", board_ids())
@pytest.mark.skipif(
    importlib.util.find_spec("platformio") is None, reason="PlatformIO is in the extra 'firmware'"
)
def test_the_registrys_platform_builds_too(
    board: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (environment,) = (each for each in read_environments(ROOT) if each.name == board)
    if lack := missing(environment, ROOT):
        pytest.skip(lack)
    made = build(environment, ROOT, libraries=request.getfixturevalue("library"), build_dir=tmp_path)
    assert firmware_size(made.elf).arena_bytes is not None


@pytest.mark.slow
@needs_arm_gcc
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("platformio", "SCons")),
    reason="PlatformIO and SCons are in the extra 'firmware'",
)
def test_without_a_network_the_build_says_what_to_do(tmp_path: Path) -> None:
    environment = choose_environment("stm32f412", find_project())
    with pytest.raises(ToolchainError, match=r"no network in .*run `tinynas build MODEL --board stm32f412`"):
        build(environment, ROOT, libraries=tmp_path, build_dir=tmp_path / "build")


def make_library(model: Path, folder: Path) -> None:
    """The model compiled to C, with one golden vector of zeros and TensorFlow Lite Micro's answer to it."""
    import numpy as np

    from tinynas.device.golden import MODEL_NAME, add_golden
    from tinynas.engine.emit import emit
    from tinynas.engine.planner import plan_network
    from tinynas.export.micro import run_micro_all
    from tinynas.graph.passes import simplify
    from tinynas.graph.tflite import read_tflite

    graph = simplify(read_tflite(model))
    plan = plan_network(graph)
    emit(plan, MODEL_NAME, folder)
    zeros = [np.zeros((1, *graph.tensors[index].shape), np.int8) for index in graph.inputs]
    content = model.read_bytes()
    add_golden(folder, plan, content, zeros, run_micro_all(content, zeros, len(graph.outputs)))
