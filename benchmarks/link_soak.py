"""A soak of the serial link: requests over a line that spoils bytes, to a board that keeps restarting.

    python benchmarks/link_soak.py [--board BOARD] [--requests 10000] [--rate 0.05] [--resets 0.005]

Without --board the board is the real program (firmware/src/main.c and firmware/link/tn_link.c) built for this
computer with sanitizers; with it the firmware of that board, on the virtual one, over its serial port. Of
every byte, both ways, `rate` is the chance to be dropped, flipped or repeated; of every frame sent, `resets`
the chance that the board restarts before it. Each answer is compared with what is right: outputs with TFLite
Micro's. A wrong answer or a hang is a failure (exit status 1); a clear error is counted. Writes
benchmarks/results/link_soak.json or link_soak_BOARD.json.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "device"))

from cross import link_program  # noqa: E402
from fake_board import Built, FakeBoard, NoisyLine, build, compiled, expected, small_network  # noqa: E402
from micro_oracle import random_inputs  # noqa: E402
from recording import record  # noqa: E402

from tinynas.device.client import Client  # noqa: E402
from tinynas.device.link import Link, Transport, Waits  # noqa: E402
from tinynas.device.measurement import MemoryUse  # noqa: E402
from tinynas.device.ports import SerialLine  # noqa: E402
from tinynas.device.virtual.process import virtual_board  # noqa: E402
from tinynas.errors import DeviceError  # noqa: E402

#: samples whose right outputs are known beforehand
_SAMPLES = 64
#: seconds without an end of a call that count as a hang
_HANG = 1800
_DETAILS = 5
_FLAGS = ("-O2", "-fsanitize=undefined", "-fno-sanitize-recover")


@dataclass(frozen=True)
class Target:
    """A board to soak: its firmware, its line, how long to wait for it, and what it complained of.

    `patience` is when each call gives up, in seconds.
    """

    built: Built
    line: Transport
    waits: Waits
    patience: float
    complaint: Callable[[], str | None]


@contextmanager
def host_target(folder: Path) -> Iterator[Target]:
    """The program as a process of this computer, which answers within a millisecond."""
    built = build(small_network(), folder, compile_with=partial(compiled, flags=_FLAGS))
    board = FakeBoard(built.program, tick=0.001)
    yield Target(built, board, Waits(0.002, 0.004), 4.0, board.close)


@contextmanager
def virtual_target(board: str, folder: Path) -> Iterator[Target]:
    """The firmware of `board` on the virtual one; what it says at its end is a complaint."""
    built = build(small_network(), folder, compile_with=partial(link_program, board))
    with virtual_board(built.program, board) as running, SerialLine(running.url) as line:
        yield Target(built, line, Waits(0.03, 0.06), 30.0, running.report)


@dataclass(frozen=True)
class Call:
    """One kind of call: whether its answer is right, or a DeviceError."""

    name: str
    weight: int
    right: Callable[[], bool]


def calls(client: Client, built: Built, rng: random.Random) -> list[Call]:
    """What a host asks of a board, with what must come back."""
    inputs = random_inputs(built.graph, _SAMPLES, seed=5)
    outputs = expected(built.model, built.graph, inputs)
    told, used = client.hello, _laid_out(client.memory())

    def infer() -> bool:
        sample = rng.randrange(_SAMPLES)
        made = client.infer([each[sample].tobytes() for each in inputs])
        return list(made.outputs) == [each[sample].tobytes() for each in outputs]

    def measure() -> bool:
        runs = rng.randrange(1, 9)
        return len(client.measure(runs).cycles) == runs

    def profile() -> bool:
        cycles = client.profile().cycles
        return len(cycles) == told.operators and all(cycles)

    def hello() -> bool:
        return client.describe() == told

    return [
        Call("infer", 4, infer),
        Call("measure", 4, measure),
        Call("profile", 2, profile),
        Call("check", 4, lambda: client.check().wrong_bytes == (0,) * told.golden_vectors),
        Call("memory", 4, lambda: _laid_out(client.memory()) == used),
        Call("hello", 1, hello),
    ]


def _laid_out(memory: MemoryUse) -> MemoryUse:
    """What does not depend on the commands since the last restart, as the stack's high-water mark does."""
    assert memory.stack_used is None or 0 < memory.stack_used < (memory.stack or 0)
    return replace(memory, stack_used=None)


def soak(target: Target, requests: int, rate: float, resets: float, seed: int) -> dict[str, object]:
    """Figures of a soak of at least so many `requests`."""
    line = NoisyLine(target.line, rate=0.0, seed=seed)
    link = Link(line, target.waits)
    rng = random.Random(seed)
    kinds = calls(Client(link, target.patience, target.patience), target.built, rng)
    line.rate, line.resets = rate, resets
    right, wrong, errors = Counter[str](), Counter[str](), Counter[str]()
    longest, start = 0.0, time.monotonic()
    while link.requests < requests:
        (kind,) = rng.choices(kinds, [each.weight for each in kinds])
        began = time.monotonic()
        faulthandler.dump_traceback_later(_HANG, exit=True)
        try:
            (right if kind.right() else wrong)[kind.name] += 1
        except DeviceError as error:
            errors[f"{kind.name}: {error}"] += 1
        longest = max(longest, time.monotonic() - began)
    faulthandler.cancel_dump_traceback_later()
    line.rate = line.resets = 0.0
    alive = Client(link).check().passed
    words = target.complaint()
    return {
        "requests": link.requests,
        "frames_sent": link.sent,
        "bytes_spoilt": line.spoilt,
        "byte_rate": rate,
        "resets": line.restarts,
        "right": dict(right),
        "wrong": dict(wrong),
        "errors": sum(errors.values()),
        "error_texts": dict(errors.most_common(_DETAILS)),
        "longest_call_s": round(longest, 2),
        "seconds": round(time.monotonic() - start, 1),
        "alive_afterwards": alive and not words,
    }


def main() -> int:
    """0 if every answer was right or a clear error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--board", help="a board with a virtual one, such as stm32f746 (default: this computer)"
    )
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--resets", type=float, default=0.005)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="tinynas-soak-") as folder:
        place = Path(folder)
        with virtual_target(asked.board, place) if asked.board else host_target(place) as target:
            figures = soak(target, asked.requests, asked.rate, asked.resets, asked.seed)
    for name, value in figures.items():
        print(f"{name:18} {value}")
    record(f"link_soak_{asked.board}" if asked.board else "link_soak", figures)
    return 0 if not figures["wrong"] and figures["alive_afterwards"] else 1


if __name__ == "__main__":
    sys.exit(main())
