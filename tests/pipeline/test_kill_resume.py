"""A real search on real digits, killed with SIGKILL and resumed, ends as the one left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_killed_search_ends_with_the_same_winner_and_model() -> None:
    script = str(ROOT / "benchmarks" / "kill_resume.py")
    command = [sys.executable, script, "--kills", "6", "--clock-kills", "0", "--no-record"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"kills": 6' in done.stdout and '"same": true' in done.stdout
