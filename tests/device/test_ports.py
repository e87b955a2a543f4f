"""Ports: which one is meant, and what is said of one that cannot be opened or goes away."""

from __future__ import annotations

import errno
import os
import pty
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_board import Built, FakeBoard, build, compiled, small_network
from micro_oracle import needs_compiler, random_inputs

from tinynas.device import ports
from tinynas.device.client import Client
from tinynas.device.frames import Frame, encode
from tinynas.device.link import Link
from tinynas.device.ports import Port, SerialLine, choose_port, list_ports
from tinynas.errors import FirmwareError, LinkError, PortError, ToolchainError

pytest.importorskip("serial", reason="pyserial is in the extra 'firmware'")

FIRST = Port("/dev/ttyACM0", "STM32 STLink")
SECOND = Port("/dev/ttyACM1", "J-Link")


def test_the_only_board_is_the_one_meant() -> None:
    assert choose_port(None, [FIRST]) == "/dev/ttyACM0"


@pytest.mark.parametrize("found", [[], [FIRST], [FIRST, SECOND]])
def test_what_is_asked_for_is_taken(found: list[Port]) -> None:
    assert choose_port("socket://lab:7000", found) == "socket://lab:7000"


def test_no_board_is_said_with_what_to_do() -> None:
    with pytest.raises(PortError, match=r"no board is connected .* --port, or use --virtual"):
        choose_port(None, [])


def test_of_two_boards_one_must_be_named() -> None:
    with pytest.raises(PortError, match=r"2 boards are connected: /dev/ttyACM0 \(STM32 STLink\), .* --port"):
        choose_port(None, [FIRST, SECOND])


def test_ports_without_usb_are_no_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer's own ttyS0 has nothing on it."""
    from serial.tools import list_ports as tool

    found = [
        SimpleNamespace(device="/dev/ttyS0", vid=None, description="n/a"),
        SimpleNamespace(device="/dev/ttyACM1", vid=1, description=None),
        SimpleNamespace(device="/dev/ttyACM0", vid=0x0483, description="STM32 STLink"),
    ]
    monkeypatch.setattr(tool, "comports", lambda: found)
    assert list_ports() == (FIRST, Port("/dev/ttyACM1", ""))


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(ToolchainError, match=r"pip install 'tinynas\[firmware\]'"):
        SerialLine("/dev/ttyACM0")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (OSError(errno.EACCES, "Permission denied"), r"you may not open /dev/x: .*dialout"),
        (OSError(errno.EBUSY, "Device or resource busy"), "/dev/x is in use by another program"),
        (OSError(errno.ENOENT, "No such file"), "there is no port /dev/x"),
        (OSError(errno.EIO, "Input/output error"), r"/dev/x cannot be opened \(Input/output error\)"),
        (ValueError("Not a valid baudrate: -1"), r"cannot be opened \(Not a valid baudrate: -1\)"),
    ],
)
def test_why_a_port_does_not_open(failure: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import serial

    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(PortError, match=words):
        SerialLine("/dev/x")


@pytest.mark.parametrize("port", ["/dev/no-such-port", "nonsense://x", "socket://127.0.0.1:1"])
def test_ports_that_are_not_there(port: str) -> None:
    with pytest.raises(PortError, match=port.replace("/", "/")) as caught:
        SerialLine(port)
    assert "\n" not in str(caught.value)


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The board's end of a pseudo-terminal, and the path of the computer's."""
    board, computer = pty.openpty()
    yield board, os.ttyname(computer)
    for end in (board, computer):
        with suppress(OSError):
            os.close(end)


def test_a_port_in_use_is_said_to_be(terminal: tuple[int, str]) -> None:
    with SerialLine(terminal[1]), pytest.raises(PortError, match="in use by another program"):
        SerialLine(terminal[1])


def test_a_board_unplugged_mid_transfer_is_one_error_at_once(terminal: tuple[int, str]) -> None:
    board, path = terminal
    with SerialLine(path) as line:
        os.write(board, encode(Frame(0x81, 0, b"\0\0"))[:6])
        assert len(line.read()) > 0
        os.close(board)
        with pytest.raises(LinkError, match=f"the board on {path} was unplugged"):
            for _ in range(3):
                line.write(b"x")
                line.read()


def test_lines_are_asserted_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """DTR low keeps native USB silent; every edge restarts an Arduino."""
    import serial

    opened: list[serial.Serial] = []
    original = serial.serial_for_url

    def recorded(*words: object, **options: object) -> serial.Serial:
        opened.append(original("loop://", **{**options, "do_not_open": True}))
        return opened[-1]

    monkeypatch.setattr(serial, "serial_for_url", recorded)
    with SerialLine("loop://") as line:
        assert opened[0].dtr and opened[0].rts and opened[0].baudrate == ports.DEFAULT_BAUD
        line.write(b"echo")
        assert line.read() == b"echo"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(
        small_network(), tmp_path_factory.mktemp("firmware"), compile_with=partial(compiled, flags=("-O1",))
    )


@needs_compiler
def test_over_a_terminal(built: Built, terminal: tuple[int, str]) -> None:
    board, path = terminal
    process = subprocess.Popen([str(built.program)], stdin=board, stdout=board)
    try:
        _use(built, path)
    finally:
        process.kill()
        process.wait()


@needs_compiler
def test_over_a_socket(built: Built) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, built.program), daemon=True).start()
        _use(built, f"socket://127.0.0.1:{server.getsockname()[1]}")


@needs_compiler
@pytest.mark.filterwarnings("ignore:set:DeprecationWarning:serial.rfc2217")
def test_over_rfc2217(built: Built) -> None:
    """A port of another computer, with its line settings."""
    with socket.create_server(("127.0.0.1", 0)) as board, socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(board, built.program), daemon=True).start()
        port = f"socket://127.0.0.1:{board.getsockname()[1]}"
        threading.Thread(target=_serve_rfc2217, args=(server, port), daemon=True).start()
        _use(built, f"rfc2217://127.0.0.1:{server.getsockname()[1]}")


def test_a_socket_that_closes() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        SerialLine(f"socket://127.0.0.1:{server.getsockname()[1]}") as line,
    ):
        server.accept()[0].close()
        with pytest.raises(LinkError, match="was unplugged or has ended"):
            Client(Link(line), patience=1)


def test_a_board_that_echoes_is_not_ours(terminal: tuple[int, str]) -> None:
    """A shell or a modem: it sends back what it hears."""
    board, path = terminal
    process = subprocess.Popen(["cat"], stdin=board, stdout=board)
    try:
        with SerialLine(path) as line, pytest.raises((LinkError, FirmwareError)) as caught:
            Client(Link(line), patience=1)
        assert "flash it" in str(caught.value)
    finally:
        process.kill()
        process.wait()


def _use(built: Built, port: str) -> None:
    inputs = random_inputs(built.graph, 1, 3)
    pipe = FakeBoard(built.program)
    wanted = Client(Link(pipe)).infer([each.tobytes() for each in inputs]).outputs
    pipe.close()
    with SerialLine(port) as line:
        client = Client(Link(line))
        assert client.infer([each.tobytes() for each in inputs]).outputs == wanted
        assert client.check().passed


def _serve(server: socket.socket, program: Path) -> None:
    """One connection, to the firmware's standard input and output."""
    connection, _ = server.accept()
    with connection:
        subprocess.run([str(program)], stdin=connection.fileno(), stdout=connection.fileno(), check=False)


def _serve_rfc2217(server: socket.socket, url: str) -> None:
    """One connection, to the port at `url`."""
    import serial
    from serial.rfc2217 import PortManager

    connection, _ = server.accept()
    port = serial.serial_for_url(url, timeout=0.01)
    manager = PortManager(port, SimpleNamespace(write=connection.sendall))

    def from_board() -> None:
        with suppress(OSError, serial.SerialException, AttributeError):
            while True:
                connection.sendall(b"".join(manager.escape(port.read(256))))

    threading.Thread(target=from_board, daemon=True).start()
    with connection, port, suppress(OSError):
        while data := connection.recv(256):
            port.write(b"".join(manager.filter(data)))
