"""The PlatformIO project that firmware is built in: the checkout, or a copy of what a wheel carries of it."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

import tinynas
from tinynas.errors import ToolchainError
from tinynas.resources import carried, resource

INI = "platformio.ini"


def find_project() -> Path:
    """The folder of platformio.ini.

    A wheel's is copied to ~/.cache/tinynas, for PlatformIO writes into its project; every version of it gets
    a folder of its own there.

    Raises:
        ToolchainError: the copy cannot be written.
        TinynasError: tinynas was installed without its firmware.
    """
    source = carried()
    if source is None:
        return resource(INI).parent
    try:
        return _unpacked(source, Path.home() / ".cache" / "tinynas")
    except OSError as error:
        raise ToolchainError(
            f"firmware cannot be laid out in '{error.filename}' ({error.strerror}): make room, or mend its "
            "permissions"
        ) from error


def _unpacked(source: Path, cache: Path) -> Path:
    """A copy of `source` in `cache`, whole or not at all, which looks like a checkout from inside."""
    package = Path(tinynas.__file__).resolve().parent
    project = cache / f"project-{_digest(source, package)}"
    if project.is_dir():
        return project
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=".partial-", dir=cache))
    try:
        shutil.copytree(source, partial, dirs_exist_ok=True)
        # PlatformIO's Python need not be the one tinynas is installed in
        (partial / package.name).symlink_to(package)
        partial.chmod(0o755)
        os.replace(partial, project)
    except FileExistsError:  # another process was quicker
        pass
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return project


def _digest(source: Path, package: Path) -> str:
    """Changes with any file, and with where the package is."""
    digest = hashlib.sha256(str(package).encode())
    for file in sorted(file for file in source.rglob("*") if file.is_file() and file.suffix != ".pyc"):
        digest.update(str(file.relative_to(source)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
