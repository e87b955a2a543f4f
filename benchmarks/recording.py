"""How every benchmark keeps its figures: one JSON file with date, commit, command and machine."""

from __future__ import annotations

import datetime
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinynas.pipeline.environment import processor_name

RESULTS = Path(__file__).resolve().parent / "results"


def record(name: str, figures: Mapping[str, Any]) -> Path:
    """Write `figures` to results/`name`.json with what is needed to judge and repeat them; the path."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=RESULTS, capture_output=True, text=True, check=False
    )
    entry = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{platform.machine()}, {processor_name()}, Python {platform.python_version()}",
        **figures,
    }
    path = RESULTS / f"{name}.json"
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(entry, indent=2) + "\n")
    print(f"recorded in {path}")
    return path
