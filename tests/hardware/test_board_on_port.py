"""What every board with our firmware must do, whether of silicon, emulated or a process on this computer."""

from __future__ import annotations

import hashlib

import pytest
from fake_board import NoisyLine, expected
from micro_oracle import random_inputs

from tinynas.device.client import Client
from tinynas.device.link import Link
from tinynas.device.ports import SerialLine
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes

pytestmark = pytest.mark.hardware

#: a caching processor is not quite regular
_SPREAD = 1.5
#: cycles of the operators against those of the whole
_PROFILE_SHARE = (0.5, 1.2)


def test_it_says_who_it_is(client: Client) -> None:
    told = client.hello
    assert told.board and told.compiler and len(told.model_sha256) == 64
    assert told.inputs and told.outputs and told.operators > 0 and told.golden_vectors > 0
    assert 1e6 < told.clock_hz <= 2e9 and told.arena_bytes >= max(each.size_bytes for each in told.inputs)


def test_its_outputs_are_right_by_its_own_check(client: Client) -> None:
    assert client.check().wrong_bytes == (0,) * client.hello.golden_vectors


def test_its_outputs_are_tflites(client: Client, model: bytes) -> None:
    assert client.hello.model_sha256 == hashlib.sha256(model).hexdigest(), "another model is on the board"
    file = graph_from_bytes(model, "model")
    graph = simplify(file)
    if [file.tensors[i].dtype for i in file.inputs] != [graph.tensors[i].dtype for i in graph.inputs]:
        pytest.skip("the model begins with floats and the board does not: there is nothing alike to compare")
    inputs = random_inputs(graph, 5, seed=6)
    outputs = expected(model, graph, inputs)
    for index in range(5):
        made = client.infer([each[index].tobytes() for each in inputs]).outputs
        assert list(made) == [each[index].tobytes() for each in outputs]


def test_its_times_repeat(client: Client) -> None:
    measured = client.measure(runs=20)
    assert len(measured.cycles) == 20 and measured.minimum > 0
    assert measured.median < _SPREAD * measured.minimum


def test_its_layers_add_up(client: Client) -> None:
    whole, profile = client.measure(runs=5), client.profile()
    low, high = _PROFILE_SHARE
    assert len(profile.cycles) == client.hello.operators
    assert low * whole.minimum < profile.total < high * whole.maximum


def test_its_memory_is_accounted_for(client: Client) -> None:
    client.check()
    used = client.memory()
    assert used.arena == client.hello.arena_bytes and used.heap == 0
    if used.static is not None:
        assert used.static >= used.arena
    if used.stack is not None and used.stack_used is not None:
        assert 0 < used.stack_used < used.stack


def test_it_comes_back_from_a_reset(client: Client) -> None:
    told = client.hello
    for _ in range(3):
        client.reset()
        assert client.describe() == told
    assert client.check().passed


def test_it_stands_a_bad_line(line: SerialLine) -> None:
    client = Client(Link(NoisyLine(line, rate=0.002, seed=7)))
    right = [client.check().passed for _ in range(10)]
    assert all(right) and client.measure(runs=10).median > 0
