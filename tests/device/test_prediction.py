"""Flash as it is told before a build: the table of code is of today's sources, and what the linker makes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from cross import needs_arm_gcc
from hypothesis import given
from hypothesis import strategies as st

from tinynas.board import Uart, load_board
from tinynas.cost import count
from tinynas.cost.code_table import (
    REMEDY,
    BoardCode,
    CodeSection,
    CodeTable,
    code_table,
    core_name,
    function_keys,
    model_keys,
    reached,
    table_from_json,
    table_to_json,
)
from tinynas.cost.engine_flash import plan_flash
from tinynas.device import code_sources
from tinynas.device.code_sources import changed
from tinynas.device.elf import firmware_size
from tinynas.device.golden import MODEL_NAME, add_golden
from tinynas.device.parts import MemoryParts
from tinynas.device.platformio import Environment, build, compiler_version, read_environments
from tinynas.device.prediction import Network, doubts, linked_flash, parts_around, predicted_parts
from tinynas.device.project import find_project
from tinynas.engine.emit import emit
from tinynas.engine.kernels import CATALOGUE

F746 = load_board("stm32f746")
LOCAL = Environment("stm32f746_local", "stm32f746", "symlink://here")


def section(key: str, size: int, alignment: int = 4, *needs: str) -> CodeSection:
    return CodeSection(*key.split(":"), size, alignment, needs)


def test_the_table_is_of_today_s_firmware() -> None:
    stale = changed(code_table())
    assert not stale, f"firmware/code.json was made from other sources: run `{REMEDY}`, and commit it"


def test_the_table_knows_every_kernel_on_every_core() -> None:
    table = code_table()
    assert {core_name(load_board(name)) for name in table.boards} == table.cores.keys()
    for sections in table.cores.values():
        assert {kernel.function for kernel in CATALOGUE} <= function_keys(sections).keys()
        assert {*model_keys(1, 1), *model_keys(2, 3)} <= sections.keys()
        assert all(need in sections for each in sections.values() for need in each.needs)


def test_a_table_stays_what_it_is_in_json() -> None:
    table = code_table()
    assert table_from_json(json.loads(json.dumps(table_to_json(table)))) == table


def test_a_gap_is_only_where_alignment_wants_one() -> None:
    """Worked by hand: what the linker's map of such sections shows."""
    vectors = section("cortexm.c:.vectors", 10, 4, "a.c:.text.a", "a.c:.rodata.a")
    code = [
        section("a.c:.text.a", 6, 2, "b.c:.text.b"),
        section("b.c:.text.b", 5, 8, "a.c:.text.a"),
        section("c.c:.text.unreached", 999),
        section("model.c:.text.model_input", 4),
        section("a.c:.rodata.a", 3, 1),
    ]
    sections = {each.key: each for each in (vectors, *code)}
    table = CodeTable("gcc", {}, {core_name(F746): sections}, {F746.id: BoardCode(0, sections)})
    # 10, gap to 16, 5, gap to 24, 4, 6: 34, up to 48; constants of 20, 2, a gap of 2, 2 and 3: 29, up to 32
    network = Network(frozenset(), 1, 1, 20, (2, 2))
    assert linked_flash(table, F746, network) == 48 + 32


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30), st.integers(0, 12))
def test_what_is_reached_is_what_can_be_walked_to(edges: list[tuple[int, int]], root: int) -> None:
    needs = {node: [f"f:{to}" for start, to in edges if start == node] for node in range(13)}
    sections = {f"f:{node}": section(f"f:{node}", 4, 4, *needs[node]) for node in needs}
    walked, before = {root}, set[int]()
    while walked != before:
        before = set(walked)
        walked |= {to for start, to in edges if start in walked}
    found = Counter(each.key for each in reached(sections, [f"f:{root}", "f:none"]))
    assert found == Counter(f"f:{node}" for node in walked)


def test_a_prediction_says_why_it_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    table = code_table()
    monkeypatch.setattr("tinynas.device.prediction.compiler_version", lambda: table.compiler)
    assert doubts(table, F746, LOCAL) is None
    assert "surveyed with GCC 4" in (doubts(replace(table, compiler="GCC 4"), F746, LOCAL) or "")
    registry = replace(LOCAL, name="stm32f746", platform="ststm32@^19")
    assert "brings its own compiler" in (doubts(table, F746, registry) or "")
    moved = replace(F746, uart=Uart("USART2", "PA2", "PA3", 115200))
    assert "so that of stm32f746 is counted" in (doubts(table, moved, LOCAL) or "")
    assert "no code was surveyed for xtensa" in (doubts(table, load_board("esp32s3"), LOCAL) or "")
    other = dict(table.sources) | {"firmware/engine/dense.c": "0", "firmware/engine/gone.c": "1"}
    sentence = doubts(replace(table, sources=other), F746, LOCAL) or ""
    assert sentence == f"firmware/engine/dense.c and 1 more changed since code was surveyed (run: {REMEDY})"


def test_nothing_is_known_of_a_framework_s_firmware() -> None:
    assert parts_around(code_table(), load_board("rp2040"), 1) == MemoryParts()
    one, two = (parts_around(code_table(), F746, inputs) for inputs in (1, 2))
    assert (two.variables or 0) - (one.variables or 0) == 4 and one.stack == 4096
    network = Network(frozenset(), 1, 1, 0, ())
    assert linked_flash(code_table(), load_board("rp2040"), network) is None


def test_comments_do_not_make_a_table_stale() -> None:
    text = "int f(void) { return 1; } /* one */\n"
    digest = code_sources._digest("f.c", text)
    assert digest == code_sources._digest("f.c", "// what?\nint f(void) {\n    return 1; }")
    assert digest != code_sources._digest("f.c", text.replace("1", "2"))


@needs_arm_gcc
@pytest.mark.slow
@pytest.mark.skipif(find_spec("SCons") is None, reason="needs the extra firmware")
def test_several_inputs_and_outputs_take_what_is_predicted(tmp_path: Path) -> None:
    from tinynas.device.code_survey import small_plan

    plan, library, board = small_plan(3), tmp_path / "lib" / MODEL_NAME, load_board("stm32f412")
    emit(plan, MODEL_NAME, library)
    vectors = [np.zeros((1, 4), np.int8)] * 3
    add_golden(library, plan, b"", vectors, vectors)
    (twin,) = (each for each in read_environments(find_project()) if each.board == board.id and each.is_local)
    made = build(twin, find_project(), libraries=tmp_path / "lib", build_dir=tmp_path / "build")
    flash = plan_flash(plan, count(plan.graph), board)
    predicted = predicted_parts(code_table(), board, plan, flash, vectors=1)
    if doubts(code_table(), board, twin):
        pytest.skip(f"code was surveyed with GCC {code_table().compiler}")
    assert predicted == MemoryParts.of_elf(firmware_size(made.elf))


@needs_arm_gcc
@pytest.mark.slow
@pytest.mark.skipif(find_spec("SCons") is None, reason="needs the extra firmware")
def test_surveying_again_finds_the_table(tmp_path: Path) -> None:
    """All of it for one core; other boards' code is compared with what is linked in tests/pipeline."""
    from tinynas.device.code_survey import survey

    table = code_table()
    if compiler_version() != table.compiler:
        pytest.skip(f"code was surveyed with GCC {table.compiler}")
    again = survey([F746], tmp_path)
    core = core_name(F746)
    assert again.cores[core] == table.cores[core], REMEDY
    assert again.boards[F746.id] == table.boards[F746.id], REMEDY
