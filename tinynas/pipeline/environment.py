"""Where a run was made: versions and machine, kept beside its request.

No part of the request: a run may go on elsewhere, and then its folder names every place.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tinynas
from tinynas.resources import carried
from tinynas.search import RunFolder
from tinynas.search.run_folder import ENVIRONMENT

#: what a result may depend on
_PACKAGES = ("numpy", "keras", "tensorflow-cpu", "tensorflow", "jax", "torch", "tflite-micro", "platformio")


def record_environment(run: RunFolder) -> None:
    """Add this place to those that the run was made in, unless it is the last of them."""
    known = run.read_json(ENVIRONMENT) if run.has(ENVIRONMENT) else []
    here = environment()
    if known[-1:] != [here]:
        run.write_json(ENVIRONMENT, [*known, here])


def environment() -> dict[str, Any]:
    """Versions, commit and machine as plain data; `commit` is None outside of a checkout of tinynas."""
    return {
        "tinynas": tinynas.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name)) is not None},
        "system": platform.platform(),
        "machine": platform.machine(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
    }


def processor_name() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """``07e6125-dirty``, of the checkout that this code lies in."""
    checkout = Path(tinynas.__file__).resolve().parents[1]
    if carried() is not None or not (checkout / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
