"""The C kernels on this machine: a shared library, called through ctypes one operator at a time."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ENGINE = Path(__file__).resolve().parents[2] / "firmware" / "engine"
#: the rules for the engine's own files; warnings are errors
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")

Bytes = NDArray[np.int8]


def sources() -> list[str]:
    """The engine's C files."""
    return [str(path) for path in sorted(ENGINE.glob("*.c"))]


def compiler(name: str) -> str:
    """The compiler `name`, or the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


@functools.cache
def library() -> ctypes.CDLL:
    """The kernels, built once a session with the host's GCC."""
    folder = Path(tempfile.mkdtemp(prefix="tinynas-kernels-"))
    target = folder / "kernels.so"
    command = [compiler("gcc"), *FLAGS, "-shared", "-fPIC", *sources(), "-o", str(target)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


class Map(ctypes.Structure):
    """tn_map."""

    _fields_ = [
        ("offset", ctypes.c_uint32),
        ("slots", ctypes.c_uint16),
        ("rows", ctypes.c_uint16),
        ("columns", ctypes.c_uint32),
        ("channels", ctypes.c_uint32),
        ("size", ctypes.c_uint8),
    ]


class Op(ctypes.Structure):
    """tn_op."""

    _fields_ = [
        ("run", ctypes.c_void_p),
        ("parameters", ctypes.c_void_p),
        ("inputs", ctypes.POINTER(ctypes.POINTER(Map))),
        ("output", ctypes.POINTER(Map)),
        ("scratch", ctypes.c_uint32),
    ]


class Step(ctypes.Structure):
    """tn_step."""

    _fields_ = [("op", ctypes.c_uint8), ("count", ctypes.c_uint8), ("first", ctypes.c_uint16)]


class Network(ctypes.Structure):
    """tn_network."""

    _fields_ = [
        ("ops", ctypes.POINTER(Op)),
        ("steps", ctypes.POINTER(Step)),
        ("step_count", ctypes.c_uint32),
    ]


class Scale(ctypes.Structure):
    """tn_scale."""

    _fields_ = [("multiplier", ctypes.c_int32), ("shift", ctypes.c_int32)]


class Conv(ctypes.Structure):
    """tn_conv."""

    _fields_ = [
        ("weights", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("multipliers", ctypes.c_void_p),
        ("shifts", ctypes.c_void_p),
        ("padding", ctypes.c_void_p),
        ("depth", ctypes.c_uint32),
        ("kernel_rows", ctypes.c_uint16),
        ("kernel_columns", ctypes.c_uint16),
        ("stride_rows", ctypes.c_uint16),
        ("stride_columns", ctypes.c_uint16),
        ("pad_top", ctypes.c_uint16),
        ("pad_left", ctypes.c_uint16),
        ("groups", ctypes.c_uint16),
        ("output_zero", ctypes.c_int8),
        ("low", ctypes.c_int8),
        ("high", ctypes.c_int8),
        ("narrow", ctypes.c_uint8),
    ]


class Blocks(ctypes.Structure):
    """tn_blocks."""

    _fields_ = [
        ("weights", ctypes.c_void_p),
        ("constants", ctypes.c_void_p),
        ("depth", ctypes.c_uint32),
        ("columns", ctypes.c_uint32),
        ("kernel_rows", ctypes.c_uint16),
        ("kernel_columns", ctypes.c_uint16),
        ("stride_rows", ctypes.c_uint16),
        ("stride_columns", ctypes.c_uint16),
        ("pad_top", ctypes.c_uint16),
        ("pad_left", ctypes.c_uint16),
        ("before", ctypes.c_uint16),
        ("padding", ctypes.c_int8),
        ("low", ctypes.c_int8),
        ("high", ctypes.c_int8),
    ]


class Binary(ctypes.Structure):
    """tn_binary."""

    _fields_ = [
        ("left", Scale),
        ("right", Scale),
        ("output", Scale),
        ("left_zero", ctypes.c_int16),
        ("right_zero", ctypes.c_int16),
        ("constant", ctypes.c_void_p),
        ("constant_rows", ctypes.c_uint16),
        ("constant_columns", ctypes.c_uint32),
        ("constant_channels", ctypes.c_uint32),
        ("output_zero", ctypes.c_int8),
        ("low", ctypes.c_int8),
        ("high", ctypes.c_int8),
    ]


class Pool(ctypes.Structure):
    """tn_pool."""

    _fields_ = [
        ("kernel_rows", ctypes.c_uint16),
        ("kernel_columns", ctypes.c_uint16),
        ("stride_rows", ctypes.c_uint16),
        ("stride_columns", ctypes.c_uint16),
        ("pad_top", ctypes.c_uint16),
        ("pad_left", ctypes.c_uint16),
        ("low", ctypes.c_int8),
        ("high", ctypes.c_int8),
    ]


class Mean(ctypes.Structure):
    """tn_mean_parameters."""

    _fields_ = [
        ("scale", Scale),
        ("input_zero", ctypes.c_int32),
        ("output_zero", ctypes.c_int32),
        ("over_rows", ctypes.c_uint8),
        ("over_columns", ctypes.c_uint8),
    ]


class Table(ctypes.Structure):
    """tn_lookup_parameters and tn_softmax_parameters."""

    _fields_ = [("table", ctypes.c_void_p)]


class Concat(ctypes.Structure):
    """tn_concat_parameters."""

    _fields_ = [("inputs", ctypes.c_uint32), ("blocks", ctypes.c_uint32)]


class Pad(ctypes.Structure):
    """tn_pad_parameters."""

    _fields_ = [
        ("top", ctypes.c_uint16),
        ("left", ctypes.c_uint16),
        ("front", ctypes.c_uint16),
        ("value", ctypes.c_int8),
    ]


class Resize(ctypes.Structure):
    """tn_resize_parameters."""

    _fields_ = [("rows", ctypes.c_void_p), ("columns", ctypes.c_void_p)]


class Permute(ctypes.Structure):
    """tn_permute_parameters."""

    _fields_ = [
        ("row", ctypes.c_uint32),
        ("column", ctypes.c_uint32),
        ("channel", ctypes.c_uint32),
        ("first", ctypes.c_uint32),
    ]


class Affine(ctypes.Structure):
    """tn_affine."""

    _fields_ = [("scale", ctypes.c_float), ("zero", ctypes.c_int32)]


@dataclass
class Constants:
    """Arrays that stand in flash, kept alive for as long as C may look at them.

    Each lies at the very end of its memory and is checked for having been left alone.
    """

    arrays: list[tuple[NDArray[np.generic], bytes]] = field(default_factory=list)

    def pointer(self, values: NDArray[np.generic] | None) -> int | None:
        """Where a copy of `values` lies; None for None."""
        if values is None:
            return None
        copy = np.ascontiguousarray(values).copy()
        self.arrays.append((copy, copy.tobytes()))
        return int(copy.ctypes.data)

    def check(self) -> None:
        """Nothing was written to."""
        assert all(array.tobytes() == before for array, before in self.arrays)


#: bytes around everything in a test's arena that no kernel may touch
GUARD = 16
_FILL = 0x55


def run_operator(
    kernel: str,
    parameters: ctypes.Structure,
    inputs: Sequence[NDArray[np.generic]],
    output_shape: tuple[int, int, int],
    *,
    output_type: type[np.generic] = np.int8,
    scratch: int = 0,
    steps: int | None = None,
    slots: Sequence[int | None] | None = None,
    reads: Sequence[tuple[int, int]] | None = None,
    over_input: bool = False,
) -> NDArray[np.generic]:
    """Runs all steps of one operator in an arena of its own and returns its output.

    `inputs` are (rows, columns, channels). With `slots[i]` fewer than the rows, input i is a ring: before
    step s it holds just rows reads[s][0]..reads[s][1], both included, of what `slots` allows. `over_input`
    puts the output in the place of input 0. Guard bytes round every map and the scratch must survive.
    """
    lib = library()
    slots = slots or [None] * len(inputs)
    offset = GUARD
    maps = []
    for values, ring in zip(inputs, slots, strict=True):
        rows, columns, channels = values.shape
        held = ring or rows
        maps.append(Map(offset, held, rows, columns, channels, values.itemsize))
        offset += -(-held * columns * channels * values.itemsize // 4) * 4 + GUARD
    size = np.dtype(output_type).itemsize
    out_bytes = int(np.prod(output_shape)) * size
    output = Map(offset, output_shape[0], *output_shape, size)
    if over_input:
        output.offset = maps[0].offset
    offset += -(-out_bytes // 4) * 4 + GUARD
    scratch_offset = offset
    arena = np.full(offset + scratch + GUARD, _FILL, np.int8)
    free = np.ones(len(arena), bool)
    free[output.offset : output.offset + out_bytes] = False
    free[scratch_offset : scratch_offset + scratch] = False

    def place(i: int, row: int) -> None:
        feature, values = maps[i], inputs[i]
        length = values[row].nbytes
        start = feature.offset + row % feature.slots * length
        arena[start : start + length] = np.frombuffer(values[row].tobytes(), np.int8)

    for i, values in enumerate(inputs):
        feature = maps[i]
        free[feature.offset : feature.offset + feature.slots * values[0].nbytes] = False
        if feature.slots == feature.rows:
            for row in range(feature.rows):
                place(i, row)
    before = arena[free].copy()

    pointers = (ctypes.POINTER(Map) * max(1, len(maps)))(*(ctypes.pointer(m) for m in maps))
    run = ctypes.cast(getattr(lib, kernel), ctypes.c_void_p)
    op = Op(run, ctypes.cast(ctypes.pointer(parameters), ctypes.c_void_p), pointers, ctypes.pointer(output))
    op.scratch = scratch_offset
    for step in range(steps if steps is not None else output_shape[0]):
        for i, feature in enumerate(maps):
            if feature.slots != feature.rows:
                assert reads is not None
                first, last = reads[step]
                for row in range(max(first, 0), min(last, feature.rows - 1) + 1):
                    place(i, row)
        one = Step(0, 1, step)
        network = Network(ctypes.pointer(op), ctypes.pointer(one), 1)
        lib.tn_run(ctypes.byref(network), arena.ctypes.data_as(ctypes.c_void_p))
    assert (arena[free] == before).all(), "the kernel wrote outside its output and scratch"
    result = arena[output.offset : output.offset + out_bytes].tobytes()
    return np.frombuffer(result, output_type).reshape(output_shape)
