"""Golden vectors as C: what is checked before it is written. test_client.py sees the board read them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest
from fake_board import Arrays, small_network
from micro_oracle import random_inputs

from tinynas.device.golden import golden_files
from tinynas.engine.plan import Plan
from tinynas.engine.planner import plan_network
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes


def small_plan() -> Plan:
    return plan_network(simplify(graph_from_bytes(small_network(), "small.tflite")))


def answers(count: int) -> Arrays:
    return [np.arange(10 * count, dtype=np.int8).reshape(count, 1, 10)]


def test_every_byte_stands_in_the_file() -> None:
    plan = small_plan()
    inputs = random_inputs(plan.graph, 2, seed=1)
    files = golden_files(plan, b"the file", inputs, answers(2))
    header, source = files["src/golden.h"], files["src/golden.c"]
    # what the program around the model is compiled with is the same for every model
    assert header == golden_files(plan, b"other", inputs[:1], answers(2))["src/golden.h"]
    assert "MODEL_ARENA_BYTES, 144, 10, 1, 1, 2, 0," in source
    numbers = [
        int(each)
        for each in re.findall(r"\b\d+\b(?=,)", source.split("golden_asked", 1)[1].split("golden_loaded")[0])
    ]
    wanted = [int(each) for array in (*inputs, *answers(2)) for each in array.view(np.uint8).ravel()]
    assert numbers == wanted
    digest = source.split("golden_hash[32] = {", 1)[1].split("}", 1)[0]
    assert bytes(int(each) for each in re.findall(r"\d+", digest)) == hashlib.sha256(b"the file").digest()


def test_a_name_stays_inside_its_string() -> None:
    plan = small_plan()
    evil = replace(plan, graph=replace(plan.graph, name='"; int evil; /* \\ é' + "x" * 200))
    source = golden_files(evil, b"", random_inputs(plan.graph, 1, 1), answers(1))["src/golden.c"]
    (name,) = re.findall(r'golden_name\[\] = "(.*)";', source)
    assert re.fullmatch(r"[\w. +-]{1,64}", name) and "int evil;" not in source


@pytest.mark.parametrize(("asked", "given"), [(0, 0), (2, 1), (1, 2)])
def test_vectors_without_answers_are_refused(asked: int, given: int) -> None:
    plan = small_plan()
    with pytest.raises(ValueError, match=rf"{asked} golden inputs and {given} outputs"):
        golden_files(plan, b"", random_inputs(plan.graph, asked, 1), answers(given))


def test_tensors_of_another_size_are_refused() -> None:
    plan = small_plan()
    wide = [each.astype(np.int16) for each in answers(1)]
    with pytest.raises(ValueError, match=r"\[20\] bytes instead of \[10\]"):
        golden_files(plan, b"", random_inputs(plan.graph, 1, 1), wide)
