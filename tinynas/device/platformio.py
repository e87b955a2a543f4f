"""Firmware built and uploaded by PlatformIO, as a process of its own.

A board has two environments in platformio.ini: its registry platform (`stm32f746`), which brings compiler,
probe and debugger from the internet, and the in-repo twin (`stm32f746_local`), which takes the compiler that
is installed. What is missing is found out before PlatformIO is started: its own answer to a registry that
cannot be reached is a minute's wait and an empty error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.device.project import INI
from tinynas.errors import BoardError, LinkError, RequestError, ToolchainError

BUILD_SECONDS = 600.0
UPLOAD_SECONDS = 180.0
_ASK_SECONDS = 60.0
#: what PlatformIO calls the program, before its endings
PROGRAM = "firmware"

_COMPILER = "arm-none-eabi-gcc"
_UPLOADER = "openocd"
_COMPILER_PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi"
_SETTINGS = {
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    "PLATFORMIO_DISABLE_PROGRESSBAR": "true",
    "PLATFORMIO_NO_ANSI": "true",
    # what is read here is searched for words, which a compiler translates where it may
    "LC_ALL": "C.UTF-8",
}
#: what compiler, linker and archiver say of ENOSPC
_FULL = "No space left on device"
_OVERFLOW = re.compile(r"region `(?P<region>\w+)' overflowed by (?P<bytes>\d+) bytes")
_FAULT = re.compile(r"(?:error|Error|undefined reference|\*\*\*)\b.*|.*\b(?:error|Error):.*")


@dataclass(frozen=True, slots=True)
class Firmware:
    """A build's outcome: the ELF file, the bytes for flash, and what the build said."""

    environment: str
    elf: Path
    binary: Path
    log: Path

    @classmethod
    def of(cls, environment: Environment, build_dir: Path) -> Firmware:
        """Where `build` puts it."""
        folder = build_dir / environment.name
        return cls(
            environment.name, folder / f"{PROGRAM}.elf", folder / f"{PROGRAM}.bin", folder / "build.log"
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """One section of platformio.ini: its name, PlatformIO's name of the board, and of the platform."""

    name: str
    board: str
    platform: str

    @property
    def is_local(self) -> bool:
        """Whether it needs nothing from PlatformIO's registry."""
        return self.platform.startswith("symlink://")


def read_environments(project: Path) -> tuple[Environment, ...]:
    """The environments of `project`, as PlatformIO itself reads them.

    Raises:
        ToolchainError: PlatformIO is missing, or cannot read platformio.ini.
    """
    command = ["project", "config", "--json-output", "--project-dir", str(project)]
    done = _pio(command, project, _ASK_SECONDS, {})
    if done.returncode:
        raise ToolchainError(f"PlatformIO cannot read {project / INI}: {_first_fault(done.stdout)}")
    sections = ((name, dict(options)) for name, options in json.loads(done.stdout))
    return tuple(
        Environment(name.removeprefix("env:"), options.get("board", ""), options.get("platform", ""))
        for name, options in sections
        if name.startswith("env:")
    )


def choose_environment(board: str, project: Path) -> Environment:
    """The environment for `board` that can build here: the registry's where its platform is, else the twin.

    Raises:
        BoardError: platformio.ini has no environment for the board.
        ToolchainError: what every environment of the board needs is missing.
    """
    mine = [each for each in read_environments(project) if each.board == board]
    if not mine:
        raise BoardError(f"{project / INI} has no environment for {board}: add [env:{board}] to it")
    lacks = {each: missing(each, project) for each in sorted(mine, key=lambda each: each.is_local)}
    for each, lack in lacks.items():
        if lack is None:
            return each
    reasons = "; or ".join(lack for lack in lacks.values() if lack)
    raise ToolchainError(f"firmware for {board} cannot be built here: {reasons}")


def missing(environment: Environment, project: Path) -> str | None:
    """What `environment` lacks on this computer and how to get it, as part of a sentence; None if nothing."""
    if environment.is_local:
        return _missing_tools()
    name = environment.platform.partition("@")[0].strip().rpartition("/")[2]
    if any(_is_platform(folder, name) for folder in _platform_folders(project)):
        return None
    return f"PlatformIO's {name} is not installed (with internet: pio pkg install -e {environment.name})"


def build(
    environment: Environment,
    project: Path,
    *,
    libraries: Path | None = None,
    build_dir: Path | None = None,
    seconds: float = BUILD_SECONDS,
) -> Firmware:
    """Firmware of the network in `libraries`/model, by default in firmware/lib/model of `project`.

    `build_dir` is PlatformIO's build folder, by default .pio/build; its subfolder of the environment's name
    gets everything, the log too.

    Raises:
        RequestError: the network does not fit the board.
        ToolchainError: something is missing, the build failed, or took longer than `seconds`.
    """
    if lack := missing(environment, project):
        raise ToolchainError(f"{environment.name} cannot be built here: {lack}")
    folder = (build_dir or project / ".pio" / "build").resolve()
    places = {"PLATFORMIO_BUILD_DIR": str(folder)}
    if libraries is not None:
        places["PLATFORMIO_LIB_DIR"] = str(libraries.resolve())
    command = ["run", "-e", environment.name, "--project-dir", str(project)]
    done = _pio(command, project, seconds, places)
    made = Firmware.of(environment, folder)
    made.log.parent.mkdir(parents=True, exist_ok=True)
    made.log.write_text(done.stdout, encoding="utf-8")
    _check_built(done, environment, made)
    return made


def upload(
    environment: Environment,
    project: Path,
    *,
    port: str | None = None,
    build_dir: Path | None = None,
    seconds: float = UPLOAD_SECONDS,
) -> None:
    """Write the firmware that lies in the build folder, as `build` made it there, into the connected board.

    Nothing is built again. `port` is for boards that are written over their serial line, where there is more
    than one.

    Raises:
        ToolchainError: as `build`, the in-repo twin finds no OpenOCD, or it took longer than `seconds`.
        LinkError: the upload failed: most often the board is not there.
    """
    if lack := missing(environment, project):
        raise ToolchainError(f"{environment.name} cannot be uploaded here: {lack}")
    require_uploader(environment)
    places = {"TINYNAS_UPLOAD": "probe"}  # else the twin takes its virtual board
    if build_dir is not None:
        places["PLATFORMIO_BUILD_DIR"] = str(build_dir.resolve())
    command = ["run", "-e", environment.name, "--project-dir", str(project), "--disable-auto-clean"]
    command += ["--target", "nobuild", "--target", "upload"]
    if port is not None:
        command += ["--upload-port", port]
    done = _pio(command, project, seconds, places)
    if done.returncode:
        raise LinkError(
            f"the firmware could not be written to {environment.board} ({_first_fault(done.stdout)}): check "
            "the cable, and that no other program uses the probe"
        )


def require_uploader(environment: Environment) -> None:
    """Nothing, if what writes firmware of `environment` through a board's probe is here.

    Raises:
        ToolchainError: the in-repo twin finds no OpenOCD; the registry's platforms bring theirs.
    """
    if environment.is_local and shutil.which(_UPLOADER) is None:
        raise ToolchainError(
            f"{_UPLOADER}, which writes firmware through a board's probe, is not installed: apt install "
            f"{_UPLOADER}, or use --virtual"
        )


def compiler_version() -> str | None:
    """Which Arm compiler the in-repo platform finds, its packager's mark included; None: there is none."""
    if shutil.which(_COMPILER) is None:
        return None
    asked = subprocess.run(
        [_COMPILER, "--version"],
        capture_output=True, text=True, check=False, timeout=_ASK_SECONDS, env=os.environ | _SETTINGS,
    )  # fmt: skip
    return asked.stdout.partition("\n")[0].removeprefix(f"{_COMPILER} ").strip() or None


def _check_built(done: subprocess.CompletedProcess[str], environment: Environment, made: Firmware) -> None:
    if overflow := _OVERFLOW.search(done.stdout):
        raise RequestError(
            f"with this network the firmware takes {int(overflow['bytes']):,} B more {overflow['region']} "
            f"than {environment.board} has: choose a smaller network or another board"
        )
    if done.returncode and _FULL in done.stdout:
        raise ToolchainError(
            f"no space was left on a disk while {environment.name} was built in {made.log.parent}: free some "
            "there or in the folder for temporary files, and run the same command again"
        )
    if done.returncode:
        raise ToolchainError(
            f"PlatformIO could not build {environment.name}: {_first_fault(done.stdout)}; all it said is in "
            f"{made.log}"
        )
    for file in (made.elf, made.binary):
        if not file.is_file():
            raise ToolchainError(f"PlatformIO built {environment.name} and made no {file}: see {made.log}")


def _missing_tools() -> str | None:
    """What the in-repo platform needs of this computer and does not find."""
    if shutil.which(_COMPILER) is None:
        return f"{_COMPILER} is not installed (Debian: apt install {_COMPILER_PACKAGES})"
    asked = subprocess.run(
        [_COMPILER, "-print-file-name=nano.specs"],
        capture_output=True, text=True, check=False, timeout=_ASK_SECONDS,
    )  # fmt: skip
    if not Path(asked.stdout.strip()).is_absolute():
        return f"the Arm compiler's C library is not installed (Debian: apt install {_COMPILER_PACKAGES})"
    if importlib.util.find_spec("SCons") is None:
        return "SCons is not installed (pip install 'tinynas[firmware]')"
    return None


def _platform_folders(project: Path) -> list[Path]:
    """Those of installed development platforms: platformio.ini puts them inside the project."""
    home = os.environ.get("PLATFORMIO_PLATFORMS_DIR")
    places = [Path(home)] if home else [project / ".pio" / "platforms"]
    return [folder for place in places if place.is_dir() for folder in place.iterdir() if folder.is_dir()]


def _is_platform(folder: Path, name: str) -> bool:
    try:
        manifest: Any = json.loads((folder / "platform.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("name") == name


def _pio(
    arguments: Sequence[str], project: Path, seconds: float, places: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """PlatformIO with these arguments, both its streams in `stdout`; killed after `seconds`."""
    if importlib.util.find_spec("platformio") is None:
        raise ToolchainError("PlatformIO is not installed: pip install 'tinynas[firmware]'")
    command = [sys.executable, "-m", "platformio", *arguments]
    with subprocess.Popen(
        command,
        cwd=project,
        env=os.environ | _SETTINGS | places,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise ToolchainError(
                f"PlatformIO did not finish `{' '.join(arguments[:3])}` within {seconds:g} s and was ended: "
                "try again, or run it by hand to see where it stays"
            ) from None
        except BaseException:
            _end(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, said)


def _end(process: subprocess.Popen[str]) -> None:
    """The process with the compilers it started, which have its session to themselves."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _first_fault(said: str) -> str:
    """The line that says what went wrong, or the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    faults = [line for line in lines if _FAULT.fullmatch(line)]
    chosen = (faults or lines[-1:] or ["it said nothing"])[0]
    return chosen.removeprefix("Error: ")[:300]
