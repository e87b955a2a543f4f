"""A board as an object: infer, measure, profile, check, over any `Link`.

Whatever happens on the way, a call gives the right answer or raises one clear error. Requests that are lost
are repeated by the link; what a restart of the board wiped out (an input half loaded) is done again from its
start here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from tinynas.device.link import PATIENCE, Command, Link, NotReadyError
from tinynas.device.measurement import Hello, Inference, Measurement, MemoryUse, Profile, SelfCheck
from tinynas.device.pieces import Pieces
from tinynas.engine.goals import Goal
from tinynas.errors import DataError, DeviceError, FirmwareError

T = TypeVar("T")

#: how long one inference may take, in seconds
INFERENCE_PATIENCE = 60.0
#: golden vectors count from 0; this is the input that was loaded
_LOADED = 0xFFFF
#: figures of 4 bytes in one reply
_MOST_FIGURES = 59
#: seconds of inferences in one request: asking costs little beside them, and so does a lost reply
_BATCH_SECONDS = 0.5
#: how often the board may be restarted during one call
_RESTARTS = 20


class Client:
    """The board at the other end of `link`; it has said hello, and every call may raise as `Link.request`."""

    def __init__(self, link: Link, patience: float = PATIENCE, inference: float = INFERENCE_PATIENCE) -> None:
        """Say hello. `patience` is for what is answered at once, `inference` for inferences, in seconds; a
        board just powered or flashed may need some of it to start.

        Raises:
            LinkError: nothing answers within `patience` seconds.
            FirmwareError: what answers is not this tinynas's firmware.
        """
        self.link = link
        self._patience, self._inference = patience, inference
        self._pieces = Pieces(link, patience)
        self.hello = self.describe()

    def describe(self) -> Hello:
        """What the board says of itself now; `hello` is what it said first.

        Raises:
            LinkError, FirmwareError: as `Link.request`.
        """
        return self._parsed(Hello.parse, self._pieces.hello())

    def require(
        self, board: str | None = None, model_sha256: str | None = None, goal: Goal | None = None
    ) -> None:
        """Nothing, if that board and that model, planned for that goal, are what is connected.

        Raises:
            FirmwareError: it is another board, another model or another goal.
        """
        told = self.hello
        if board is not None and told.board != board:
            raise FirmwareError(
                f"the firmware on {self.link.name} is for {told.board}, not for {board}: name the --port of "
                f"the {board}, or flash it (`tinynas flash MODEL --board {board}`)"
            )
        if model_sha256 is not None and told.model_sha256 != model_sha256:
            raise FirmwareError(
                f"the board on {self.link.name} holds another model ({told.model}, SHA-256 "
                f"{told.model_sha256[:12]}...): flash this one first (`tinynas flash`)"
            )
        if goal is not None and told.goal is not goal:
            raise FirmwareError(
                f"the firmware on {self.link.name} is optimized for {told.goal.value}, not for {goal.value}: "
                f"flash it so (`tinynas flash MODEL --optimize {goal.value}`)"
            )

    def infer(self, inputs: Sequence[bytes]) -> Inference:
        """Outputs and cycles for one sample: the bytes of each input, channels innermost.

        Raises:
            DataError: the inputs have not the model's sizes.
            DeviceError: the board keeps restarting; LinkError, FirmwareError: as `Link.request`.
        """
        sizes = [tensor.size_bytes for tensor in self.hello.inputs]
        if [len(data) for data in inputs] != sizes:
            raise DataError(
                f"the model on {self.link.name} takes inputs of {sizes} bytes, "
                f"not {[len(data) for data in inputs]}: give it what its .tflite takes"
            )

        def once() -> Inference:
            for index, data in enumerate(inputs):
                self._pieces.load(index, data)
            (cycles,) = self._infer(_LOADED, 1)
            outputs = [
                self._pieces.output(index, tensor.size_bytes)
                for index, tensor in enumerate(self.hello.outputs)
            ]
            return Inference(tuple(outputs), cycles)

        return self._despite_restarts(once)

    def measure(
        self, runs: int = 10, vector: int = 0, progress: Callable[[Sequence[int]], None] = lambda cycles: None
    ) -> Measurement:
        """Cycles of `runs` inferences of the golden vector `vector`; `progress` is told those so far.

        Raises:
            LinkError, FirmwareError: as `Link.request`.
        """
        began = self.link.now()
        cycles = self._infer(vector, 1)
        # in time as it passes here: an emulated board takes longer than the processor it counts the cycles of
        batch = _batch(self.link.now() - began)
        progress(cycles)
        while len(cycles) < runs:
            cycles += self._infer(vector, min(batch, runs - len(cycles)))
            progress(cycles)
        return Measurement(tuple(cycles), self.hello.clock_hz)

    def profile(self, vector: int = 0) -> Profile:
        """Cycles of each operator in an inference of the golden vector `vector`.

        The board keeps no figures, so a network of many operators is run once for every 59 of them.

        Raises:
            LinkError, FirmwareError: as `Link.request`.
        """
        cycles: list[int] = []
        while (rest := self.hello.operators - len(cycles)) > 0:
            count = min(rest, _MOST_FIGURES)
            asked = struct.pack("<HHB", vector, len(cycles), count)
            cycles += self._figures(self._request(Command.PROFILE, asked, self._inference), count)
        return Profile(tuple(cycles), self.hello.clock_hz)

    def memory(self) -> MemoryUse:
        """RAM of the firmware as it runs; ask after an inference, for then the stack has been used.

        Raises:
            LinkError, FirmwareError: as `Link.request`.
        """
        return self._parsed(MemoryUse.parse, self._request(Command.MEMORY))

    def check(self) -> SelfCheck:
        """The golden vectors in flash, run and compared by the board itself.

        Raises:
            LinkError, FirmwareError: as `Link.request`.
        """
        wrong = []
        for vector in range(self.hello.golden_vectors):
            reply = self._request(Command.CHECK, struct.pack("<H", vector), self._inference)
            wrong.append(self._figures(reply, 2)[0])
        return SelfCheck(tuple(wrong))

    def reset(self) -> None:
        """Start the firmware again; the next request may have to wait for it.

        Raises:
            LinkError, FirmwareError: as `Link.request`.
        """
        self._request(Command.RESET)

    def _infer(self, vector: int, runs: int) -> list[int]:
        reply = self._request(Command.INFER, struct.pack("<HB", vector, runs), self._inference)
        return self._figures(reply, runs)

    def _request(self, command: Command, payload: bytes = b"", patience: float | None = None) -> bytes:
        return self.link.request(command, payload, self._patience if patience is None else patience)

    def _despite_restarts(self, work: Callable[[], T]) -> T:
        for _ in range(_RESTARTS):
            try:
                return work()
            except NotReadyError:
                continue
        raise DeviceError(
            f"the board on {self.link.name} restarts again and again while it works: check its power supply, "
            "or measure with another cable"
        )

    def _figures(self, reply: bytes, count: int) -> list[int]:
        def parse(data: bytes) -> list[int]:
            if len(data) != 4 * count:
                raise ValueError(f"{len(data)} bytes for {count} figures")
            return list(struct.unpack(f"<{count}I", data))

        return self._parsed(parse, reply)

    def _parsed(self, parse: Callable[[bytes], T], reply: bytes) -> T:
        try:
            return parse(reply)
        except ValueError as error:
            raise FirmwareError(
                f"the firmware on {self.link.name} answers in another form ({error}): build and flash "
                "it again with this tinynas (`tinynas flash`)"
            ) from error


def _batch(seconds: float) -> int:
    """How many inferences that take so long each to ask for at once."""
    return max(1, min(_MOST_FIGURES, int(_BATCH_SECONDS / max(seconds, 1e-6))))
