"""A short soak of the virtual board's serial port; benchmarks/link_soak.py has the long one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cross import ROOT, needs_arm_gcc
from virtual_build import require_virtual

sys.path.append(str(ROOT / "benchmarks"))

from link_soak import soak, virtual_target


@needs_arm_gcc
@pytest.mark.slow
def test_every_answer_over_a_spoilt_line_is_right(tmp_path: Path) -> None:
    require_virtual()
    with virtual_target("stm32f746", tmp_path) as target:
        figures = soak(target, requests=60, rate=0.05, resets=0.02, seed=3)
    assert figures["wrong"] == {} and figures["alive_afterwards"]
    assert figures["errors"] == 0, figures["error_texts"]
    assert figures["right"]  # how many calls 60 requests make depends on the computer's pace
    assert figures["bytes_spoilt"] and figures["resets"]
