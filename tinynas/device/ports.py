"""Serial ports: which there are, which one is meant, and a line over it that fails in clear words.

A port is whatever pyserial opens: a device, a pseudo-terminal, ``socket://host:port``, ``rfc2217://host:port``.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any

from tinynas.errors import LinkError, PortError, ToolchainError

DEFAULT_BAUD = 115_200
#: how long reading waits for the first byte, in seconds: the grain of all time-outs
_TICK = 0.01
#: how long writing may take, in seconds; a board whose USB stack hangs takes nothing
_WRITE_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port of this computer."""

    device: str
    description: str


def list_ports() -> tuple[Port, ...]:
    """The ports that a board may be on: those of USB, by name.

    Raises:
        ToolchainError: pyserial is not installed.
    """
    _pyserial()
    usb = [port for port in import_module("serial.tools.list_ports").comports() if port.vid is not None]
    return tuple(Port(port.device, port.description or "") for port in sorted(usb, key=lambda p: p.device))


def choose_port(asked: str | None, found: Sequence[Port]) -> str:
    """The port `asked` for, or the only one `found`.

    Raises:
        PortError: none was asked for, and there is none or more than one.
    """
    if asked:
        return asked
    if not found:
        raise PortError(
            "no board is connected to this computer: plug one in, name its --port, or use --virtual"
        )
    if len(found) > 1:
        names = ", ".join(f"{port.device} ({port.description})" for port in found)
        raise PortError(
            f"{len(found)} boards are connected: {names}; say which one with --port, such as "
            f"--port {found[0].device}"
        )
    return found[0].device


class SerialLine:
    """A port that is open; a context manager that closes it. One `Transport` of `link.Link`."""

    def __init__(self, port: str, baud: int = DEFAULT_BAUD) -> None:
        """Open `port`.

        DTR and RTS are asserted, as terminals do, and stay so: native USB sends nothing without DTR, and
        boards that reset at its edge (Arduino, ESP32) do so once, now: the first request waits for them.

        Raises:
            PortError: it cannot be opened.
            ToolchainError: pyserial is not installed.
        """
        serial = _pyserial()
        self._name = port
        self._failures = (serial.SerialException, OSError)
        try:
            self._serial: Any = serial.serial_for_url(port, baudrate=baud, timeout=_TICK, do_not_open=True)
            self._serial.dtr = self._serial.rts = True
            if "://" not in port:  # what pyserial has for devices of this computer alone
                self._serial.exclusive, self._serial.write_timeout = True, _WRITE_PATIENCE
            self._serial.open()
        except (*self._failures, ValueError) as error:
            raise PortError(_why_not(port, error)) from error

    @property
    def name(self) -> str:
        """The port as it was asked for."""
        return self._name

    def write(self, data: bytes) -> None:
        """Send.

        Raises:
            LinkError: the board was unplugged, or takes nothing.
        """
        try:
            self._serial.write(data)
        except self._failures as error:
            raise self._gone(error) from error

    def read(self) -> bytes:
        """What has come; nothing after 10 ms of silence.

        Raises:
            LinkError: the board was unplugged.
        """
        try:
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        # pyserial reads with the descriptor it had; closed meanwhile, that is None
        except (*self._failures, TypeError) as error:
            raise self._gone(error) from error

    def close(self) -> None:
        """Close the port."""
        self._serial.close()

    def __enter__(self) -> SerialLine:
        """The open line."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port."""
        self.close()

    def _gone(self, error: Exception) -> LinkError:
        if "timeout" in str(error).lower():
            return LinkError(
                f"the board on {self._name} takes no bytes: reset it, or unplug it and plug it in again"
            )
        return LinkError(
            f"the board on {self._name} was unplugged or has ended ({_words(error)}): connect it again and "
            "repeat the command"
        )


def _pyserial() -> Any:
    try:
        serial = import_module("serial")
    except ImportError as error:
        raise ToolchainError(
            "talking to a board needs pyserial: install it with `pip install 'tinynas[firmware]'`"
        ) from error
    return serial


def _why_not(port: str, error: Exception) -> str:
    """One sentence about a port that does not open."""
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"you may not open {port}: add yourself to the group that owns it (`sudo usermod -aG dialout "
            "$USER`) and log in again"
        )
    if number in (errno.EBUSY, errno.EAGAIN):
        return f"{port} is in use by another program: close the monitor or terminal that has it open"
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return f"there is no port {port}: check the cable, or name another --port (see `pio device list`)"
    return f"{port} cannot be opened ({_words(error)}): name another --port (see `pio device list`)"


def _words(error: Exception) -> str:
    """The system's word for it, on one line and without a number."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")
