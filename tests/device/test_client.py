"""The real firmware, built for this computer under sanitizers, through the real client."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_board import (
    FIRMWARE,
    SANITIZERS,
    Built,
    FakeBoard,
    NoisyLine,
    build,
    compiled,
    expected,
    small_network,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from micro_oracle import needs_compiler, random_inputs
from small_models import small_models

from tinynas.device.client import Client
from tinynas.device.frames import Decoder, Frame, encode
from tinynas.device.link import Command, Link, NotReadyError, Waits
from tinynas.device.measurement import Hello, Measurement, MemoryUse
from tinynas.device.pieces import Pieces
from tinynas.engine.host import compiler
from tinynas.errors import DataError, DeviceError, FirmwareError

pytestmark = needs_compiler
#: a process on this computer answers in a millisecond
QUICK = Waits(0.05, 0.2)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(small_network(), tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def board(built: Built) -> Iterator[FakeBoard]:
    fake = FakeBoard(built.program)
    yield fake
    assert fake.close() == "" and fake.process.returncode == 0


@pytest.fixture
def client(board: FakeBoard) -> Client:
    return Client(Link(board, QUICK))


def sample(built: Built, seed: int) -> tuple[list[bytes], list[bytes]]:
    """Inputs and the outputs that TFLite Micro gives for them."""
    inputs = random_inputs(built.graph, 1, seed)
    outputs = expected(built.model, built.graph, inputs)
    return [each.tobytes() for each in inputs], [each.tobytes() for each in outputs]


def test_the_board_says_who_it_is(client: Client, built: Built) -> None:
    told = client.hello
    assert (told.board, told.build, told.model, told.golden_vectors) == ("host", "test", "small.tflite", 3)
    assert told.compiler.startswith(("GCC", "Clang")) and told.kernels == "portable"
    assert (told.icache, told.dcache, told.prefetch) == (True, True, False)
    assert (told.clock_hz, told.operators) == (10**9, len(built.graph.operators))
    (image,), (scores,) = told.inputs, told.outputs
    assert (image.rows, image.columns, image.channels, image.dtype) == (8, 6, 3, "int8")
    assert scores.size_bytes == 10
    known = built.graph.tensors[built.graph.inputs[0]].quantization
    assert known is not None
    assert (image.scale, image.zero_point) == (np.float32(known.scales[0]), known.zero_points[0])


def test_every_output_byte_is_tflites(client: Client, built: Built) -> None:
    for seed in range(5):
        inputs, outputs = sample(built, seed)
        made = client.infer(inputs)
        assert list(made.outputs) == outputs and 0 < made.cycles < 10**9


@pytest.mark.parametrize("kind", ["add", "float_borders", "concat_rows"])
def test_models_of_every_border(kind: str, tmp_path: Path) -> None:
    """Two inputs; floats; an output larger than a frame."""
    built = build(small_models()[kind], tmp_path, vectors=1)
    board = FakeBoard(built.program)
    client = Client(Link(board, QUICK))
    inputs, outputs = sample(built, 4)
    assert list(client.infer(inputs).outputs) == outputs and client.check().passed
    assert board.close() == ""


def test_measuring_counts_every_run(client: Client) -> None:
    measured = client.measure(runs=130)
    assert len(measured.cycles) == 130 and min(measured.cycles) > 0
    assert measured.minimum <= measured.median <= measured.maximum
    assert measured.latency_ms == measured.median / 1e6


def test_a_measurement_is_summed_up() -> None:
    measured = Measurement((30, 10, 20, 40), clock_hz=1000)
    assert (measured.minimum, measured.median, measured.maximum, measured.latency_ms) == (10, 20, 40, 20.0)
    assert np.isnan(Measurement((1,), 0).latency_ms)


def test_the_profile_is_of_each_operator(client: Client, built: Built) -> None:
    profile = client.profile()
    assert len(profile.cycles) == len(built.graph.operators) == client.hello.operators
    assert all(profile.cycles) and profile.total < 10**9


def test_memory_is_what_the_firmware_tells(client: Client) -> None:
    used = client.memory()
    assert used.arena == client.hello.arena_bytes and used.heap == 0 and used.stack is None
    assert (used.sram, used.flash) == (None, None)
    told = MemoryUse.parse(struct.pack("<8I", 5000, 2048, 1000, 12, 6000, 0, 700, 80))
    assert (told.stack_used, told.static, told.sram, told.flash) == (1048, 6012, 8060, 792)


def test_the_self_check_finds_a_single_wrong_byte(built: Built, client: Client, tmp_path: Path) -> None:
    assert client.check().wrong_bytes == (0, 0, 0) and client.check().passed
    folder = tmp_path / "harmed"
    (folder / "src").mkdir(parents=True)
    for file in (built.program.parent / "src").iterdir():
        (folder / "src" / file.name).write_text(file.read_text())
    source = folder / "src" / "golden.c"
    head, answers = source.read_text().split("golden_answers", 1)
    first = next(word for word in answers.split() if word.rstrip(",").isdigit())
    other = f"{(int(first.rstrip(',')) + 1) % 256},"
    source.write_text(head + "golden_answers" + answers.replace(first, other, 1))
    harmed = FakeBoard(compiled(folder, SANITIZERS))
    checked = Client(Link(harmed, QUICK)).check()
    assert checked.wrong_bytes == (1, 0, 0) and not checked.passed
    assert harmed.close() == ""


def test_inputs_of_another_size_are_refused(client: Client) -> None:
    with pytest.raises(DataError, match=r"takes inputs of \[144\] bytes, not \[3\]"):
        client.infer([b"abc"])


def test_another_board_or_model_is_named(client: Client) -> None:
    client.require("host", client.hello.model_sha256)
    with pytest.raises(FirmwareError, match="is for host, not for stm32f746: name the --port"):
        client.require(board="stm32f746")
    with pytest.raises(FirmwareError, match=r"another model \(small.tflite"):
        client.require(model_sha256="00" * 32)


def test_a_reset_loses_the_input_and_the_client_gives_it_again(board: FakeBoard, built: Built) -> None:
    link = Link(board, QUICK)
    client = Client(link)
    inputs, outputs = sample(built, 9)
    Pieces(link).load(0, inputs[0])
    client.reset()
    with pytest.raises(NotReadyError):
        link.request(Command.INFER, struct.pack("<HB", 0xFFFF, 1))
    with pytest.raises(NotReadyError):
        link.request(Command.LOAD, struct.pack("<BI", 0, 64) + b"later")
    with pytest.raises(NotReadyError):
        link.request(Command.OUTPUT, struct.pack("<BIB", 0, 0, 10))
    assert list(client.infer(inputs).outputs) == outputs


def test_an_input_serves_one_inference(board: FakeBoard, built: Built) -> None:
    """The arena reuses its bytes, so a second one would be of something else."""
    link = Link(board, QUICK)
    Client(link).infer(sample(built, 1)[0])
    with pytest.raises(NotReadyError):
        link.request(Command.INFER, struct.pack("<HB", 0xFFFF, 1))


def test_a_board_that_keeps_restarting_is_an_error(board: FakeBoard, built: Built) -> None:
    client = Client(Link(board, QUICK))
    request = client.link.request

    def restarted(command: Command, payload: bytes = b"", patience: float = 1) -> bytes:
        if command == Command.INFER:
            client.reset()
        return request(command, payload, patience)

    client.link.request = restarted  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="restarts again and again"):
        client.infer(sample(built, 1)[0])


def test_the_same_request_is_carried_out_once(board: FakeBoard) -> None:
    """Cycles are never twice the same to the nanosecond over all of 20 runs."""
    asked = encode(Frame(Command.INFER, 77, struct.pack("<HB", 0, 20)))
    other = encode(Frame(Command.INFER, 78, struct.pack("<HB", 0, 20)))
    first, again, second = (ask(board, wire) for wire in (asked, asked, other))
    assert first == again and first.payload[1:] != second.payload[1:]


def ask(board: FakeBoard, wire: bytes) -> Frame:
    board.write(wire)
    decoder = Decoder()
    for _ in range(500):
        if frames := decoder.feed(board.read()):
            return frames[0]
    raise AssertionError("no answer")


@pytest.mark.parametrize(
    ("command", "payload", "status"),
    [
        (99, b"", 1),
        (Command.HELLO, b"", 2),
        (Command.HELLO, struct.pack("<HB", 0, 238), 2),
        (Command.LOAD, struct.pack("<BI", 1, 0), 2),
        (Command.LOAD, struct.pack("<BI", 0, 144) + b"x", 2),
        (Command.LOAD, struct.pack("<BI", 0, 0xFFFFFFFF) + b"xx", 2),
        (Command.INFER, struct.pack("<HB", 0, 0), 2),
        (Command.INFER, struct.pack("<HB", 0, 60), 2),
        (Command.INFER, struct.pack("<HB", 3, 1), 2),
        (Command.INFER, struct.pack("<HB", 0xFFFF, 2), 2),
        (Command.INFER, struct.pack("<HB", 0xFFFF, 1), 3),
        (Command.OUTPUT, struct.pack("<BIB", 0, 0, 10), 3),
        (Command.OUTPUT, struct.pack("<BIB", 0, 1, 10), 2),
        (Command.OUTPUT, struct.pack("<BIB", 0, 0xFFFFFFF0, 10), 2),
        (Command.PROFILE, struct.pack("<HHB", 0, 0, 60), 2),
        (Command.PROFILE, struct.pack("<HHB", 0, 65535, 1), 2),
        (Command.CHECK, struct.pack("<H", 3), 2),
        (Command.MEMORY, b"x", 2),
        (Command.RESET, b"x", 2),
    ],
)
def test_the_firmware_refuses_what_makes_no_sense(
    board: FakeBoard, command: int, payload: bytes, status: int
) -> None:
    reply = ask(board, encode(Frame(command, 5, payload)))
    assert reply == Frame(command | 0x80, 5, bytes([status]))


def test_the_firmware_tells_other_versions_its_own(board: FakeBoard) -> None:
    reply = ask(board, encode(Frame(Command.HELLO, 5, b"longer than before", version=9)))
    assert reply == Frame(Command.HELLO | 0x80, 5, b"\x04", version=1)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.one_of(
            st.binary(max_size=300),
            st.builds(Frame, st.integers(1, 7), st.integers(0, 65535), st.binary(max_size=240)).map(encode),
            st.builds(
                lambda kind, start, more: encode(Frame(kind, 1, start + more)),
                st.integers(1, 9),
                st.sampled_from([b"\0", b"\0\0", b"\0\0\0\0\0", b"\xff\xff\x01", b"\0\0\0\0\0\x0a"]),
                st.binary(max_size=4),
            ),
        ),
        max_size=12,
    )
)
def test_nothing_that_comes_over_the_line_harms_the_firmware(fuzzed: FakeBoard, parts: list[bytes]) -> None:
    """Under the sanitizers; afterwards the board answers as ever."""
    for part in parts:
        fuzzed.write(part)
    client = Client(Link(fuzzed, QUICK))
    assert client.hello.board == "host" and client.check().passed
    assert fuzzed.process.poll() is None


@pytest.fixture(scope="module")
def fuzzed(built: Built) -> Iterator[FakeBoard]:
    fake = FakeBoard(built.program, tick=0.002)
    yield fake
    assert fake.close() == "" and fake.process.returncode == 0


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_a_bad_line_delays_but_changes_nothing(built: Built, rate: float) -> None:
    board = FakeBoard(built.program, tick=0.001)
    line = NoisyLine(board, rate, seed=3, resets=0.005)
    link = Link(line, Waits(0.003, 0.01))
    client = Client(link, patience=4)
    seed = 0
    while line.spoilt < 30 or seed < 2:
        inputs, outputs = sample(built, seed)
        assert list(client.infer(inputs).outputs) == outputs
        seed += 1
    assert client.check().passed and client.hello.board == "host"
    assert link.sent > link.requests
    assert board.close() == ""


@given(data=st.binary(max_size=300))
def test_no_description_surprises(data: bytes) -> None:
    try:
        Hello.parse(data)
    except ValueError:
        return
    assert len(data) > 46


@pytest.mark.parametrize("name", ["src/main.c", "link/tn_link.c"])
def test_the_firmware_asks_nobody_for_memory(built: Built, tmp_path: Path, name: str) -> None:
    """All that the program needs: the model, the chip, the linker's symbols, and three functions of C's."""
    made = tmp_path / "program.o"
    folders = (built.program.parent / "src", FIRMWARE / "hal", FIRMWARE / "link")
    includes = [f"-I{folder}" for folder in folders]
    words = [compiler(), "-std=c99", "-O2", "-c", str(FIRMWARE / name), *includes, "-o", str(made)]
    subprocess.run(words, check=True)
    listed = subprocess.run(["nm", "-u", "-P", str(made)], capture_output=True, text=True, check=True).stdout
    others = {line.split()[0] for line in listed.splitlines()}
    known = ("hal_", "tn_", "model_", "golden_", "_")
    assert {name for name in others if not name.startswith(known)} <= {"memcpy", "memset", "strlen"}
