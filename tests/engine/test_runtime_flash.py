"""Flash as the cost model counts it, against the C that is emitted for the same network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from random_network import random_tflite

from tinynas.board import load_board
from tinynas.cost import EngineRuntime
from tinynas.cost.engine_flash import code_bytes
from tinynas.engine.emit import emit, render
from tinynas.engine.planner import plan_network
from tinynas.graph import Graph
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import build_graph, parse_genotype
from tinynas.spaces import make_space

F746 = load_board("stm32f746")


def drawn(seed: int) -> Graph:
    """A network of one of the spaces."""
    rng = np.random.default_rng(seed)
    space = make_space(float(rng.choice([0.2, 0.3])), 24, 32, 3, 10)
    return build_graph(space.genotype(space.sample(rng)))


GRAPHS = {f"drawn{seed}": drawn(seed) for seed in range(4)} | {
    "gated": build_graph(parse_genotype("r24x3 conv_k3_s2_c8 ir_k5_s1_e3_c8_se0.25 ir_k3_s2_e1_c12 fc_c5"))
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_network_without_weights_counts_as_it_is_emitted_with_them(name: str) -> None:
    graph = GRAPHS[name]
    plan = plan_network(simplify(graph_from_bytes(random_tflite(graph, seed=3), name)))
    emission = render(plan, "model")
    without, file = EngineRuntime().flash(graph, F746), EngineRuntime().flash(plan.graph, F746)
    code = code_bytes(dict.fromkeys(plan.kernels, 1), F746)
    assert file.total == emission.flash.total + code
    assert without.code == file.code == code
    assert (without.weights, without.biases, without.graph) == (file.weights, file.biases, file.graph)
    # equal arrays of two operators, such as shifts of few channels, are kept once
    assert file.tables <= without.tables <= 1.02 * file.tables


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
def test_the_compiled_model_s_sections_are_the_estimate(tmp_path: Path) -> None:
    graph = simplify(graph_from_bytes(random_tflite(GRAPHS["drawn0"], seed=5), "drawn"))
    plan, flash = plan_network(graph), EngineRuntime().flash(graph, F746)
    emit(plan, "model", tmp_path)
    built = str(tmp_path / "model.o")
    flags = ["-mcpu=cortex-m7", "-mthumb", "-O2", "-std=c99"]
    source = str(tmp_path / "src" / "model.c")
    subprocess.run(["arm-none-eabi-gcc", *flags, "-c", source, "-o", built], check=True)
    words = subprocess.run(["arm-none-eabi-size", "-A", built], check=True, capture_output=True, text=True)
    sizes = {name: int(size) for name, size in re.findall(r"^\.(\S+)\s+(\d+)", words.stdout, re.MULTILINE)}
    constants = sum(size for name, size in sizes.items() if name.startswith("rodata"))
    # the last array need not be filled up to a word
    assert 0 <= flash.total - flash.code - constants < 4
    assert sizes["bss"] == EngineRuntime().sram(graph, F746).total
