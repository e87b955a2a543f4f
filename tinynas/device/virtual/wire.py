"""The serial port's outside: a TCP port or pseudo-terminal that pyserial opens, and the thread that serves
it.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import tty
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

_CHUNK = 4096


class Endpoint(Protocol):
    """Where bytes come from and go to."""

    url: str

    def receive(self) -> bytes:
        """Waits for bytes; none when the wire is closed."""

    def send(self, content: bytes) -> None:
        """Sends, or drops where nobody listens, as on a real line."""

    def close(self) -> None:
        """Ends ``receive``."""


class TcpPort:
    """``socket://127.0.0.1:PORT``: one client at a time; the next may come when it has gone."""

    def __init__(self, port: int = 0) -> None:
        """Listens; port 0 is any that is free."""
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._closed = False

    def receive(self) -> bytes:
        """The client's next bytes."""
        while not self._closed:
            try:
                if self._client is None:
                    self._client, _ = self._listener.accept()
                    self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                content = self._client.recv(_CHUNK)
            except OSError:
                content = b""
            if content:
                return content
            self._drop()
        return b""

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def send(self, content: bytes) -> None:
        """To the client, if there is one."""
        client = self._client
        if client is not None:
            with suppress(OSError):  # it has gone; receive() notices
                client.sendall(content)

    def close(self) -> None:
        """No more clients."""
        self._closed = True
        # closing alone does not wake a thread that waits in accept()
        with socket.socket() as knock:
            knock.settimeout(1)
            knock.connect_ex(self._listener.getsockname())
        self._listener.close()
        client = self._client
        if client is not None:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


class PseudoTerminal:
    """A path such as ``/dev/pts/3``, like a USB adapter's."""

    def __init__(self) -> None:
        """Opens both ends; ours keeps the other alive between clients."""
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.url = os.ttyname(self._theirs)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ours, selectors.EVENT_READ)
        self._closed = False

    def receive(self) -> bytes:
        """The client's next bytes."""
        while not self._closed:
            if self._selector.select(0.1):
                try:
                    return os.read(self._ours, _CHUNK)
                except OSError:
                    continue
        return b""

    def send(self, content: bytes) -> None:
        """Into the terminal's buffer; what does not fit is lost, as on a line nobody reads."""
        with suppress(BlockingIOError):
            os.write(self._ours, content)

    def close(self) -> None:
        """Ends ``receive``."""
        self._closed = True


class Terminal:
    """This process's own standard input and output."""

    url = "-"

    def receive(self) -> bytes:
        """What is typed; none at the end of the input."""
        return os.read(0, _CHUNK)

    def send(self, content: bytes) -> None:
        """To standard output, at once."""
        os.write(1, content)

    def close(self) -> None:
        """Nothing to close."""


class Wire:
    """The line between board and endpoint; bytes of the board are gathered and sent by ``flush``."""

    def __init__(self, endpoint: Endpoint | None, echo: Callable[[bytes], None] | None = None) -> None:
        """``echo`` is told all that the board sends."""
        self._endpoint, self._echo = endpoint, echo
        self._arrived: deque[int] = deque()
        self._hurry: Callable[[], None] = lambda: None
        self._news = threading.Event()
        self._out = bytearray()

    def connect(self, arrived: deque[int], hurry: Callable[[], None]) -> None:
        """The board's end: where bytes go, and whom to tell. Starts the thread that brings them."""
        self._arrived, self._hurry = arrived, hurry
        if self._endpoint is not None:
            threading.Thread(target=self._bring, daemon=True, name="serial port").start()

    def _bring(self) -> None:
        assert self._endpoint is not None
        while content := self._endpoint.receive():
            self.feed(content)

    def feed(self, content: bytes) -> None:
        """Bytes for the board."""
        self._arrived.extend(content)
        self._news.set()
        self._hurry()

    @property
    def unsent(self) -> bool:
        """Whether bytes of the board wait for ``flush``."""
        return bool(self._out)

    @property
    def pending(self) -> bool:
        """Whether bytes wait for the board."""
        return bool(self._arrived)

    def take_news(self) -> bool:
        """Whether bytes came since the last call."""
        news = self._news.is_set()
        self._news.clear()
        return news

    def wait(self, seconds: float) -> None:
        """Until bytes come, at most so long."""
        self.flush()
        self._news.wait(seconds)
        self._news.clear()

    def send(self, byte: int) -> None:
        """A byte of the board."""
        self._out.append(byte)

    def flush(self) -> None:
        """Sends what the board has sent."""
        if self._out:
            content = bytes(self._out)
            self._out.clear()
            if self._echo is not None:
                self._echo(content)
            if self._endpoint is not None:
                self._endpoint.send(content)
