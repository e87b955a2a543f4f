"""Executed instructions of one inference do not rise unnoticed: against benchmarks/results/speed.json.

A change that must cost more is recorded again (benchmarks/speed.py) in the commit that says why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed: pip install 'tinynas[virtual]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from cores.build import CORTEX_M7, compiler_missing
from cores.unicorn_process import unicorn_missing
from recording import RESULTS
from speed import measure

from tinynas.engine.choosing import Goal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(compiler_missing() or unicorn_missing()), reason=str(compiler_missing() or unicorn_missing())
    ),
]

#: a fast one of each kind of network: dense, convolutional, separable, tiny
MODELS = (
    "mlperftiny__ad01_int8",
    "mlperftiny__kws_ref_model",
    "mlperftiny__str_ww_ref_model",
    "mlperftiny__vww_96_int8",
    "tflm__hello_world_int8",
)
#: more than this is a rise
MOST = 1.02


@pytest.mark.parametrize("goal", [Goal.RAM, Goal.SPEED], ids=lambda goal: goal.value)
@pytest.mark.parametrize("name", MODELS)
def test_instructions_have_not_risen(shared: Path, tmp_path: Path, name: str, goal: Goal) -> None:
    recorded = json.loads((RESULTS / "speed.json").read_text())
    if recorded["compiler"] != (here := CORTEX_M7.toolchain.version()):
        pytest.skip(f"recorded with {recorded['compiler']}, and here is {here}")
    asked = (name, goal.value, None)
    before = next(
        each for each in recorded["models"] if (each["model"], each["goal"], each["arena_limit"]) == asked
    )
    now = measure(shared / "models" / f"{name}.tflite", goal, tmp_path)
    slower = [
        f"{one.what}: {was['instructions']:,} -> {one.instructions:,}"
        for one, was in zip(now.operators, before["operators"], strict=True)
        if one.instructions > MOST * was["instructions"]
    ]
    assert now.instructions <= MOST * before["instructions"], slower
