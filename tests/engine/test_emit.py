"""Emission: C that is the same every time, clashes with nothing, and takes what it was told to take."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import make_tflite as make
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from micro_oracle import needs_compiler, random_inputs
from naive_plan import naive_plan

from tinynas.engine.c_text import c_float, harmless, identifier
from tinynas.engine.emit import emit, render
from tinynas.engine.host import HostProgram, compiler
from tinynas.engine.sources import sources_for
from tinynas.errors import ModelError, RequestError, ToolchainError, VerificationError
from tinynas.graph import Activation, Graph, OpKind, Padding
from tinynas.graph.tflite import graph_from_bytes


def small_graph(name: str = "small.tflite") -> Graph:
    rng = np.random.default_rng(3)
    model = make.convolution(rng, (6, 6, 3), 8, (3, 3), (1, 1), Padding.SAME, activation=Activation.RELU)
    return graph_from_bytes(model, name)


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (render(naive_plan(small_graph()), "small") for _ in range(2))
    assert first == second


@needs_compiler
def test_what_a_model_says_of_itself_stays_inside_comments(tmp_path: Path) -> None:
    evil = '*/ int evil; /* "\\\n#error é'
    graph = small_graph(evil)
    graph = replace(graph, tensors=tuple(replace(tensor, name=evil) for tensor in graph.tensors))
    emission = emit(naive_plan(graph), "small", tmp_path)
    code = re.sub(r"/\*.*?\*/", "", emission.files["src/small.c"] + emission.files["src/small.h"], flags=re.S)
    assert "evil" not in code and "#error" not in code
    assert evil not in emission.files["library.json"] and json.loads(emission.files["library.json"])
    with HostProgram([tmp_path], {"small": graph}) as program:
        assert len(program.run("small", random_inputs(graph, 1, seed=0))) == 1


def test_the_library_is_one_platformio_reads(tmp_path: Path) -> None:
    parser = pytest.importorskip("platformio.package.manifest.parser", reason="it is in the extra 'firmware'")
    from platformio.package.manifest.schema import ManifestSchema

    emit(naive_plan(small_graph()), "small", tmp_path)
    raw = parser.ManifestParserFactory.new_from_file(str(tmp_path / "library.json")).as_dict()
    manifest = ManifestSchema().load_manifest(raw)
    assert (manifest["name"], manifest["headers"], raw["build"]["srcDir"]) == ("small", ["small.h"], "src")


def test_only_the_needed_sources_are_copied() -> None:
    dense_alone = sources_for(["tn_dense"])
    assert {"engine.c", "dense.c", "tinynas_engine.h", "tinynas_kernels.h"} <= dense_alone.keys()
    assert not {"softmax.c", "pooling.c", "depthwise.c"} & dense_alone.keys()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vww", "vww"),
        ("My Net-2", "my_net_2"),
        ("__x__", "x"),
        ("2fast", "net_2fast"),
        ("é", None),
        ("", None),
    ],
)
def test_any_text_becomes_an_identifier_or_is_refused(text: str, expected: str | None) -> None:
    if expected is not None:
        assert identifier(text) == expected
        return
    with pytest.raises(RequestError, match="choose another with --name"):
        identifier(text)


@pytest.mark.parametrize("name", ["math", "stdint", "engine", "tinynas_engine", "tn_x", "Upper", "a-b", "_a"])
def test_names_that_would_clash_are_refused(name: str) -> None:
    with pytest.raises(RequestError, match=name):
        render(naive_plan(small_graph()), name)


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value: float) -> None:
    text = c_float(value)
    assert text.endswith("f") and (set(text) & set(".e"))
    assert np.float32(text[:-1]) == np.float32(value)


def test_comments_are_made_harmless() -> None:
    assert harmless("a*/b\\\nc\u2028") == "a?/b??c?"


def test_more_operators_than_a_step_can_name_are_refused() -> None:
    graph = small_graph()
    deep = replace(graph, operators=graph.operators * 257)
    plan = replace(naive_plan(graph), graph=deep)
    with pytest.raises(ModelError, match=r"257 operators .* at most 256"):
        render(plan, "deep")


@needs_compiler
def test_a_program_that_fails_is_one_clear_error(tmp_path: Path) -> None:
    graph = small_graph()
    emit(naive_plan(graph), "small", tmp_path)
    source = tmp_path / "src" / "small.c"
    text = source.read_text()
    inputs = random_inputs(graph, 2, seed=0)
    source.write_text(text.replace("tn_run(&network", "*(volatile int *)0 = 1;\n    tn_run(&network"))
    with (
        HostProgram([tmp_path], {"small": graph}) as program,
        pytest.raises(VerificationError, match=r"compiled small failed on this computer: signal"),
    ):
        program.run("small", inputs)
    source.write_text(text + "\nthis is no C;\n")
    with pytest.raises(ToolchainError, match=r"cannot build the model .*error"):
        HostProgram([tmp_path], {"small": graph})


@needs_compiler
def test_a_sanitizer_finds_what_leaves_the_arena(tmp_path: Path) -> None:
    graph = small_graph()
    plan = naive_plan(graph)
    # an arena too small by the last map
    emit(replace(plan, arena=plan.arena - 64), "small", tmp_path)
    with (
        HostProgram([tmp_path], {"small": graph}, sanitize=True) as program,
        pytest.raises(VerificationError, match="ERROR: AddressSanitizer"),
    ):
        program.run("small", random_inputs(graph, 1, seed=0))


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ToolchainError, match=r"no C compiler .*apt-get install gcc"):
        compiler()


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_arena_and_constants_take_on_a_board_what_was_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    models = {
        "conv": make.convolution(rng, (8, 8, 3), 7, (3, 3), (2, 2), Padding.SAME),
        "depth": make.convolution(rng, (8, 8, 6), 6, (3, 3), (1, 1), Padding.SAME, depthwise=True),
        "sum": make.binary(rng, OpKind.ADD, (1, 4, 4, 3), (1, 1, 1, 3), constant=1),
        "soft": make.unary(rng, OpKind.SOFTMAX, (1, 10), (0.1, 1 / 256), (0, -128)),
        "grown": make.moved(
            rng,
            OpKind.RESIZE_NEAREST_NEIGHBOR,
            (1, 3, 3, 2),
            (1, 5, 5, 2),
            (5, 5),
            make.options("ResizeNearestNeighbor"),
        ),
        "floats": make.float_borders(rng, (5, 5, 2), 3),
    }
    flags = ["-mcpu=cortex-m7", "-mthumb", "-O2", "-std=c99", "-Wall", "-Werror"]
    for name, model in models.items():
        emission = emit(naive_plan(graph_from_bytes(model, name)), name, tmp_path)
        source, built = str(tmp_path / "src" / f"{name}.c"), str(tmp_path / f"{name}.o")
        subprocess.run(["arm-none-eabi-gcc", *flags, "-c", source, "-o", built], check=True)
        words = subprocess.run(
            ["arm-none-eabi-size", "-A", built], check=True, capture_output=True, text=True
        )
        found = re.findall(r"^\.(\S+)\s+(\d+)", words.stdout, flags=re.MULTILINE)
        sizes = {section: int(size) for section, size in found}
        assert sizes["bss"] == emission.arena, name
        constants = sum(size for section, size in sizes.items() if section.startswith("rodata"))
        # every array is counted in whole words, and the last one need not be filled up
        assert 0 <= emission.flash.total - constants < 4, name
