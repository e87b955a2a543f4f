"""Golden vectors: inputs and the outputs they must give, in the firmware's flash beside the model.

The board compares its own outputs with them, so that one command tells whether the firmware, its compiler and
its memory work. `golden.h` and `golden.c` go into the model's library, next to `model.c`; firmware/src/main.c
reads them, and learns from them the model's name, goal, hash and quantisation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinynas.engine.emit import SOURCES, environment
from tinynas.engine.plan import Plan
from tinynas.engine.tables import End

#: the name of the library and prefix of its functions that firmware/src/main.c calls
MODEL_NAME = "model"
#: samples whose outputs are kept in flash for the self-check
GOLDEN_VECTORS = 2
#: the longest name of a model that the board repeats
_LONGEST = 64

#: the arrays of golden.c
GOLDEN_NAMES = frozenset(
    f"golden_{name}" for name in ("model", "name", "goal", "hash", "inputs", "outputs", "asked", "answers")
)
#: a golden_facts, a SHA-256, and a golden_end on a 32-bit core
_FACTS_BYTES, _HASH_BYTES, _END_BYTES = 20, 32, 28

#: of SRAM, for every input: how much of it has come
INPUT_BYTES = 4

Arrays = Sequence[NDArray[Any]]


def golden_sizes(plan: Plan, vectors: int) -> tuple[int, ...]:
    """Bytes of each array of golden.c for so many golden vectors of `plan`: all of it that lies in flash."""
    graph = plan.graph
    inputs, outputs = (
        sum(graph.tensors[i].size_bytes for i in ends) for ends in (graph.inputs, graph.outputs)
    )
    ends = (_END_BYTES * len(graph.inputs), _END_BYTES * len(graph.outputs))
    texts = (len(text) + 1 for text in (_plain(graph.name), plan.goal.value))
    return _FACTS_BYTES, _HASH_BYTES, *texts, *ends, vectors * inputs, vectors * outputs


def golden_files(plan: Plan, model: bytes, inputs: Arrays, outputs: Arrays) -> dict[str, str]:
    """Text by path inside the model's library.

    `model` is the .tflite file, hashed. `inputs` and `outputs` hold one array [vectors, ...] for each input
    and output of the plan's graph, in its order and types; at least one vector.

    Raises:
        ValueError: the arrays are not such.
    """
    graph = plan.graph
    counts = len(inputs[0]), len(outputs[0])
    if counts[0] != counts[1] or counts[0] == 0:
        raise ValueError(f"{counts[0]} golden inputs and {counts[1]} outputs")
    asked = _vectors(inputs, [graph.tensors[i].size_bytes for i in graph.inputs])
    answers = _vectors(outputs, [graph.tensors[i].size_bytes for i in graph.outputs])
    facts = {
        "title": _plain(graph.name),
        "goal": plan.goal.value,
        "digest": np.frombuffer(hashlib.sha256(model).digest(), np.uint8),
        "vectors": len(asked),
        "inputs": [End.of(plan, i) for i in graph.inputs],
        "outputs": [End.of(plan, i) for i in graph.outputs],
        "asked": asked,
        "answers": answers,
    }
    templates = environment()
    return {
        f"{SOURCES}/golden.{kind}": templates.get_template(f"golden.{kind}.j2").render(facts)
        for kind in ("h", "c")
    }


def add_golden(folder: Path, plan: Plan, model: bytes, inputs: Arrays, outputs: Arrays) -> None:
    """Write `golden_files` into the library in `folder`.

    Raises:
        ValueError: as `golden_files`.
        OSError: the disk does not take it.
    """
    for path, text in golden_files(plan, model, inputs, outputs).items():
        (folder / path).write_text(text, encoding="utf-8", newline="\n")


def _vectors(arrays: Arrays, sizes: Sequence[int]) -> NDArray[np.uint8]:
    """All tensors of a vector one after the other: [vectors, bytes]."""
    parts = [np.ascontiguousarray(each).reshape(len(each), -1).view(np.uint8) for each in arrays]
    if [part.shape[1] for part in parts] != list(sizes):
        raise ValueError(f"tensors of {[part.shape[1] for part in parts]} bytes instead of {list(sizes)}")
    return np.concatenate(parts, axis=1)


def _plain(text: str) -> str:
    """`text` as it may stand in a C string."""
    return re.sub(r"[^A-Za-z0-9_. +-]", "_", text)[:_LONGEST]
