"""What a network takes in flash with the engine: constants as they are packed, tables, and linked code.

For a network with weights the emitter's own tables are counted, to the byte; for one without, the same
arithmetic on `Counts`. The two differ only where two operators happen to have equal tables, which are kept
once. Of the schedule only the plan knows the length, so for many networks it is one step an operator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache

import numpy as np

from tinynas.board import Board
from tinynas.cost.code_table import CodeSection, code_table, core_name, function_keys, model_keys, reached
from tinynas.cost.counts import WEIGHTED, Counts, Int, output_channels
from tinynas.cost.estimates import FlashEstimate
from tinynas.engine.kernels import CATALOGUE
from tinynas.engine.parameters import POINTER_BYTES
from tinynas.engine.plan import ALIGNMENT, Plan
from tinynas.engine.tables import Tables
from tinynas.graph import Graph, OpKind

#: structs of C on a 32-bit core: tn_map, tn_op, tn_step, tn_network
_MAP, _OPERATOR, _STEP, _NETWORK = 20, 5 * POINTER_BYTES, 4, 3 * POINTER_BYTES
_LAYER, _BINARY, _POOL, _MEAN = 44, 48, 16, 20
#: parameter structs by kind, in whole words; of one pointer where the kind is not listed
_PARAMETERS: Mapping[OpKind, int] = {
    OpKind.CONV_2D: _LAYER,
    OpKind.DEPTHWISE_CONV_2D: _LAYER,
    OpKind.FULLY_CONNECTED: _LAYER,
    OpKind.ADD: _BINARY,
    OpKind.MUL: _BINARY,
    OpKind.MEAN: _MEAN,
    OpKind.AVERAGE_POOL_2D: _POOL,
    OpKind.MAX_POOL_2D: _POOL,
}
#: kinds that are a table of one byte for each of a byte's values
_LOOKUPS = (OpKind.LOGISTIC, OpKind.HARD_SWISH, OpKind.RELU, OpKind.RELU6)
_LOOKUP_BYTES, _SOFTMAX_BYTES = 256, 1024

#: kernels by kind, of kinds that have only one
_KERNELS: Mapping[OpKind, str] = {
    OpKind.DEPTHWISE_CONV_2D: "tn_depthwise",
    OpKind.FULLY_CONNECTED: "tn_dense",
    OpKind.ADD: "tn_add",
    OpKind.MUL: "tn_mul",
    OpKind.MEAN: "tn_mean",
    OpKind.AVERAGE_POOL_2D: "tn_average_pool",
    OpKind.MAX_POOL_2D: "tn_max_pool",
    OpKind.SOFTMAX: "tn_softmax",
    **dict.fromkeys(_LOOKUPS, "tn_lookup"),
}


def plan_flash(plan: Plan, counts: Counts, board: Board) -> FlashEstimate:
    """Flash of one planned network on `board`; `counts` are those of its graph.

    Raises:
        ModelError: a network with weights that cannot be packed.
    """
    ends = len(plan.graph.inputs), len(plan.graph.outputs)
    code = int(code_bytes(Counter(plan.kernels), board, *ends))
    if not has_weights(plan.graph):
        return FlashEstimate(
            weights=int(counts.packed_weight_bytes),
            biases=int(4 * counts.total_channels),
            tables=int(table_bytes(counts)),
            graph=int(structure_bytes(counts, len(plan.steps))),
            code=code,
        )
    found = Tables(plan).flash(len(plan.steps))
    biases = 4 * sum(output_channels(plan.graph, op) for op in plan.graph.operators if op.kind in WEIGHTED)
    return FlashEstimate(
        weights=found.weights,
        biases=biases,
        tables=found.quantisation - biases + found.tables,
        graph=found.schedule,
        code=code,
    )


def counts_flash(counts: Counts, board: Board) -> Int:
    """Flash of one network or of many, but for the steps of the schedule beyond one an operator."""
    constants = counts.packed_weight_bytes + 4 * counts.total_channels + table_bytes(counts)
    structure = structure_bytes(counts, counts.total_operators)
    return constants + structure + code_bytes(_functions(counts), board, counts.inputs, counts.outputs)


def table_bytes(counts: Counts) -> Int:
    """Bytes of multipliers and shifts, look-up tables and pixels of padding."""
    size: Int = counts.padding_bytes + _SOFTMAX_BYTES * counts.of(OpKind.SOFTMAX)
    for channels, slots in zip(counts.channels.values(), counts.channel_slots.values(), strict=True):
        # shifts are single bytes, their array whole words
        size = size + 4 * channels + slots
    for kind in _LOOKUPS:
        size = size + _LOOKUP_BYTES * counts.of(kind)
    return size


def structure_bytes(counts: Counts, steps: Int) -> Int:
    """Bytes of feature maps, operators with their parameters, and a schedule of `steps`."""
    # where inputs and outputs lie is a table only of several
    ends = sum(4 * number for number in (counts.inputs, counts.outputs) if number > 1)
    size: Int = _NETWORK + ends + _STEP * steps
    size = size + _MAP * (counts.tensors - counts.constants) + POINTER_BYTES * counts.readings
    for kind, number in counts.operators.items():
        size = size + (_OPERATOR + _PARAMETERS.get(kind, POINTER_BYTES)) * number
    return size


def code_bytes(functions: Mapping[str, Int], board: Board, inputs: int = 1, outputs: int = 1) -> Int:
    """Bytes of the engine's functions that `functions` (how often each runs) reach, and of the network's own.

    Each counts in whole words. The C library's memcpy and memset, which hardly any firmware is without, are
    not counted.
    """
    core = core_name(board)
    sections, always = code_table().core(core), _reach(core, model_keys(inputs, outputs))
    size: Int = sum(_words(sections[key]) for key in always)
    users: dict[str, Int] = {}
    for function, number in functions.items():
        for key in _reach_of(core, function) - always:
            users[key] = users.get(key, 0) + number
    for key, number in users.items():
        size = size + _words(sections[key]) * _present(number)
    return size


@cache
def most_code_bytes(board: Board) -> int:
    """Bytes of code of a network that runs every kernel of the catalogue."""
    return int(code_bytes({kernel.function: 1 for kernel in CATALOGUE}, board, inputs=2, outputs=2))


@cache
def _reach_of(core: str, function: str) -> frozenset[str]:
    """Keys of all of the engine that its `function` needs, itself included; nothing if the table lacks it."""
    key = function_keys(code_table().core(core)).get(function)
    return frozenset() if key is None else _reach(core, (key,))


@cache
def _reach(core: str, roots: tuple[str, ...]) -> frozenset[str]:
    found = reached(code_table().core(core), roots)
    return frozenset(each.key for each in found if each.file.endswith(".c"))


def has_weights(graph: Graph) -> bool:
    """Whether the values of all constants are known."""
    return all(tensor.data is not None for tensor in graph.constants())


def _functions(counts: Counts) -> dict[str, Int]:
    """How often each kernel runs in one network or in many."""
    functions = {
        "tn_convolve": counts.spatial_convs,
        "tn_pointwise": counts.of(OpKind.CONV_2D) - counts.spatial_convs,
    }
    for kind, number in counts.operators.items():
        if kind in _KERNELS:
            functions[_KERNELS[kind]] = functions.get(_KERNELS[kind], 0) + number
    return functions


def _words(section: CodeSection) -> int:
    return -(-section.size_bytes // ALIGNMENT) * ALIGNMENT


def _present(number: Int) -> Int:
    return np.minimum(number, 1) if isinstance(number, np.ndarray) else min(number, 1)
