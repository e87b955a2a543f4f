"""What a board tells: who it is, how long it took, what memory it used.

Parsed from the replies of firmware/src/main.c.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from statistics import median_low
from typing import Literal

from tinynas.engine.goals import Goal

_FACTS = struct.Struct("<IBBIHH32s")
_TENSOR = struct.Struct("<IIIBfi")
_MEMORY = struct.Struct("<8I")
_TEXTS = 5


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of the model on the board; `scale` is None where it is of floats."""

    rows: int
    columns: int
    channels: int
    dtype: Literal["int8", "float32"]
    scale: float | None
    zero_point: int

    @property
    def size_bytes(self) -> int:
        """Of the whole tensor."""
        return self.rows * self.columns * self.channels * (1 if self.dtype == "int8" else 4)


@dataclass(frozen=True, slots=True)
class Hello:
    """What the firmware says of itself and of the model in it; the clock as its registers say it is."""

    clock_hz: int
    icache: bool
    dcache: bool
    prefetch: bool
    kernels: Literal["dsp", "portable"]
    arena_bytes: int
    operators: int
    golden_vectors: int
    model_sha256: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    board: str
    build: str
    compiler: str
    model: str
    goal: Goal

    @classmethod
    def parse(cls, data: bytes) -> Hello:
        """The description that HELLO tells.
        Raises:
            ValueError: it is no such.
        """
        try:
            clock, caches, dsp, arena, operators, vectors, digest = _FACTS.unpack_from(data)
            inputs, at = _tensors(data, _FACTS.size)
            outputs, at = _tensors(data, at)
        except (struct.error, IndexError) as error:
            raise ValueError(f"a description of {len(data)} bytes is too short") from error
        *texts, rest = data[at:].split(b"\0")
        if len(texts) != _TEXTS or rest:
            raise ValueError(f"{len(texts)} texts in a description instead of {_TEXTS}")
        board, build, compiler, model, goal = (text.decode("ascii", "replace") for text in texts)
        return cls(
            clock_hz=clock,
            icache=bool(caches & 1),
            dcache=bool(caches & 2),
            prefetch=bool(caches & 4),
            kernels="dsp" if dsp else "portable",
            arena_bytes=arena,
            operators=operators,
            golden_vectors=vectors,
            model_sha256=digest.hex(),
            inputs=inputs,
            outputs=outputs,
            board=board,
            build=build,
            compiler=compiler,
            model=model,
            goal=Goal(goal),
        )


def _tensors(data: bytes, at: int) -> tuple[tuple[Tensor, ...], int]:
    """The tensors told from `at` on, and where they end."""
    made = []
    end = at + 1 + data[at] * _TENSOR.size
    for start in range(at + 1, end, _TENSOR.size):
        rows, columns, channels, element, scale, zero = _TENSOR.unpack_from(data, start)
        dtype: Literal["int8", "float32"] = "int8" if element == 1 else "float32"
        made.append(Tensor(rows, columns, channels, dtype, scale if scale > 0 else None, zero))
    return tuple(made), end


@dataclass(frozen=True, slots=True)
class Measurement:
    """How many cycles each of several inferences took, counted by the processor itself."""

    cycles: tuple[int, ...]
    clock_hz: int

    @property
    def minimum(self) -> int:
        """Cycles of the quickest."""
        return min(self.cycles)

    @property
    def median(self) -> int:
        """Cycles of the middle one."""
        return median_low(self.cycles)

    @property
    def maximum(self) -> int:
        """Cycles of the slowest."""
        return max(self.cycles)

    @property
    def latency_ms(self) -> float:
        """The median in milliseconds."""
        return self.milliseconds(self.median)

    def milliseconds(self, cycles: int) -> float:
        """At the board's clock; NaN where that is unknown."""
        return 1e3 * cycles / self.clock_hz if self.clock_hz else math.nan


@dataclass(frozen=True, slots=True)
class Profile:
    """Cycles of each operator of one inference, in the order of the compiled graph."""

    cycles: tuple[int, ...]
    clock_hz: int

    @property
    def total(self) -> int:
        """Of all operators."""
        return sum(self.cycles)


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """RAM and flash of the running firmware, in bytes; None is what its linker script does not tell."""

    arena: int
    stack: int | None
    stack_used: int | None
    data: int | None
    bss: int | None
    heap: int
    text: int | None
    rodata: int | None

    @classmethod
    def parse(cls, data: bytes) -> MemoryUse:
        """The reply to MEMORY.

        Raises:
            ValueError: it is no such.
        """
        if len(data) != _MEMORY.size:
            raise ValueError(f"{len(data)} bytes about memory instead of {_MEMORY.size}")
        arena, stack, unused, initialised, zeroed, heap, text, constants = _MEMORY.unpack(data)
        # the buffers of the link are in .bss: a linker script that tells it empty tells nothing
        return cls(
            arena=arena,
            stack=stack or None,
            stack_used=stack - unused if stack and unused else None,
            data=initialised if zeroed else None,
            bss=zeroed or None,
            heap=heap,
            text=text or None,
            rodata=constants or None,
        )

    @property
    def sram(self) -> int | None:
        """All of RAM that is spoken for: the stack, .data, .bss with the arena, the heap."""
        if self.static is None or self.stack is None:
            return None
        return self.static + self.stack + self.heap

    @property
    def flash(self) -> int | None:
        """All that lies in flash: code, constants, and what .data starts as."""
        if self.text is None or self.rodata is None or self.data is None:
            return None
        return self.text + self.rodata + self.data

    @property
    def static(self) -> int | None:
        """What the linker laid out, .data and .bss with the arena in it; None where unknown."""
        return None if self.bss is None else (self.data or 0) + self.bss


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Bytes of output that differ from what they must be, for each golden vector in flash."""

    wrong_bytes: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """All of at least one vector are right."""
        return bool(self.wrong_bytes) and not any(self.wrong_bytes)


@dataclass(frozen=True, slots=True)
class Inference:
    """Bytes of each output, and cycles."""

    outputs: tuple[bytes, ...]
    cycles: int
