"""Damaged .tflite files: each ends in one clear error, or in a plan that is proven.

benchmarks/fuzz_compiler.py looks for such files by the thousand; what it found once stands in one of these.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hostile import MODELS, NAME, WORDS, refusal

from tinynas.engine.rows import row_program
from tinynas.graph.tflite import graph_from_bytes


@pytest.mark.parametrize("name", MODELS)
def test_the_models_themselves_are_accepted(name: str) -> None:
    assert refusal(MODELS[name]) == ""


@pytest.mark.parametrize("name", MODELS)
def test_a_truncated_file_is_refused(name: str) -> None:
    data = MODELS[name]
    # a few bytes at the end belong to nothing but padding
    for length in (*range(0, 64, 7), *range(64, len(data) - 8, max(1, len(data) // 24))):
        assert refusal(data[:length]), length


@pytest.mark.parametrize("name", MODELS)
def test_flipped_bits_end_well(name: str) -> None:
    rng = random.Random(name)
    for _ in range(12):
        damaged = bytearray(MODELS[name])
        for _ in range(rng.choice((1, 1, 3))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        refusal(bytes(damaged))


@pytest.mark.parametrize("name", MODELS)
def test_overwritten_words_end_well(name: str) -> None:
    rng = random.Random(name)
    for _ in range(20):
        damaged = bytearray(MODELS[name])
        place = rng.randrange(len(damaged) // 4) * 4
        damaged[place : place + 4] = struct.pack("<i", rng.choice(WORDS))
        refusal(bytes(damaged))


def test_real_models_damaged_end_well(shared: Path) -> None:
    data = (shared / "models" / "tflm__hello_world_int8.tflite").read_bytes()
    rng = random.Random(0)
    for _ in range(150):
        damaged = bytearray(data)
        place = rng.randrange(len(damaged) // 4) * 4
        damaged[place : place + 4] = struct.pack("<i", rng.choice(WORDS))
        refusal(bytes(damaged))


def test_vectors_that_are_joined_are_all_read() -> None:
    """Axis 1 is that of the rows only where there are four axes."""
    graph = graph_from_bytes(MODELS["concat_vectors"], NAME)
    readings = row_program(graph, graph.operators[0]).readings
    assert [(each.lows.tolist(), each.highs.tolist()) for each in readings] == [([0], [0])] * 2
