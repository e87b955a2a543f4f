"""Asking and asking again, by a clock of the test's own: what is heard, and what is said of silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas.device.client import Client
from tinynas.device.frames import REPLY, Decoder, Frame, encode
from tinynas.device.link import Command, Link, NotReadyError, SilenceError, Status, Waits
from tinynas.errors import FirmwareError, LinkError

#: what a fake board sends back for a request
Behaviour = Callable[[Frame], bytes]


class FakeLine:
    """A line with a clock: reading nothing takes 10 ms of a time that only it makes pass."""

    name = "/dev/fake"

    def __init__(self, behave: Behaviour) -> None:
        self.now = 0.0
        self.asked: list[Frame] = []
        self.times: list[float] = []
        self._behave, self._decoder, self._coming = behave, Decoder(), b""

    def write(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self.asked.append(frame)
            self.times.append(self.now)
            self._coming += self._behave(frame)

    def read(self) -> bytes:
        if not self._coming:
            self.now += 0.01
        data, self._coming = self._coming, b""
        return data


def answer(frame: Frame, payload: bytes = b"", status: int = 0, **changes: int) -> bytes:
    facts = {"type": frame.type | REPLY, "sequence": frame.sequence} | changes
    return encode(Frame(payload=bytes([status]) + payload, **facts))


def link_to(behave: Behaviour) -> tuple[Link, FakeLine]:
    line = FakeLine(behave)
    return Link(line, Waits(0.25, 2.0), clock=lambda: line.now), line


def test_a_reply_at_once_takes_one_request() -> None:
    link, line = link_to(lambda frame: answer(frame, frame.payload[::-1]))
    assert link.request(Command.LOAD, b"abc") == b"cba" and link.request(Command.MEMORY) == b""
    first, second = line.asked
    assert (first.type, first.payload) == (2, b"abc")
    assert (second.sequence - first.sequence) % 65536 == 1 and line.now == 0


def test_a_lost_reply_is_asked_for_again_with_the_same_bytes() -> None:
    asked = []

    def deaf_at_first(frame: Frame) -> bytes:
        asked.append(frame)
        return answer(frame, b"x") if len(asked) == 4 else b""

    link, line = link_to(deaf_at_first)
    assert link.request(Command.INFER, b"?") == b"x"
    assert len(set(asked)) == 1
    # waits double: 0.25, 0.5, 1
    assert line.times == pytest.approx([0, 0.25, 0.75, 1.75], abs=0.05)


def test_replies_to_other_requests_are_passed_over() -> None:
    def confused(frame: Frame) -> bytes:
        return (
            answer(frame, b"old", sequence=(frame.sequence - 1) % 65536)
            + answer(frame, b"other", type=REPLY | Command.HELLO)
            + encode(frame)
            + encode(Frame(frame.type | REPLY, frame.sequence, b""))
            + answer(frame, b"right")
            + answer(frame, b"again")
        )

    link, _ = link_to(confused)
    assert [link.request(Command.LOAD) for _ in range(3)] == [b"right"] * 3


def test_a_reply_in_pieces_between_garbage_is_put_together() -> None:
    link, line = link_to(lambda _: b"")

    def read() -> bytes:
        line.now += 0.01
        wire = b"\x17\0garbage" + answer(line.asked[0], b"whole")
        place = round(line.now * 100) - 1
        return wire[place : place + 1]

    line.read = read  # type: ignore[method-assign]
    assert link.request(Command.LOAD, patience=10) == b"whole"


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (lambda _: b"", r"nothing answers on /dev/fake: check that the board is powered"),
        (lambda _: b"Hello from Zephyr\r\n", r"not tinynas's firmware, or another .* \d+ bytes came"),
        (lambda _: b"\0\xff\0\0", "not tinynas's firmware"),
    ],
)
def test_silence_and_other_firmware_are_told_apart(behave: Behaviour, words: str) -> None:
    link, line = link_to(behave)
    with pytest.raises(SilenceError, match=words):
        link.request(Command.HELLO, patience=5)
    assert 5 <= line.now < 5.1 and len(line.asked) >= 4


def test_a_slow_board_is_not_buried_under_repetitions() -> None:
    """It carries out one request after the other, 0.6 s each, those that came again too."""
    link, line = link_to(lambda _: b"")
    working: list[tuple[float, bytes]] = []

    def behave(frame: Frame) -> bytes:
        start = max(line.now, working[-1][0] if working else 0)
        working.append((start + 0.6, answer(frame, frame.payload)))
        return b""

    def read() -> bytes:
        line.now += 0.01
        done = b"".join(wire for moment, wire in working if line.now - 0.01 < moment <= line.now)
        return done

    line._behave, line.read = behave, read  # type: ignore[method-assign]
    for number in range(20):
        assert link.request(Command.LOAD, bytes([number]), patience=1) == bytes([number])
    assert link.sent <= 24 and line.now < 20 * 0.6 + 4


def test_a_board_that_babbles_is_given_up_too() -> None:
    link, line = link_to(lambda _: b"")

    def read() -> bytes:
        line.now += 0.01
        return encode(Frame(REPLY | Command.HELLO, 1, b"\0"))

    line.read = read  # type: ignore[method-assign]
    with pytest.raises(SilenceError):
        link.request(Command.LOAD, patience=5)
    assert line.now < 10


def test_a_silent_board_is_given_up_when_patience_ends() -> None:
    """Though a description is asked for in ever shorter pieces."""
    link, line = link_to(lambda _: b"")
    with pytest.raises(SilenceError, match="nothing answers on /dev/fake"):
        Client(link, patience=5)
    assert 5 <= line.now < 5.2 and len(line.asked) >= 8


def test_a_description_that_makes_no_sense_is_other_firmware() -> None:
    for told in (b"", b"\x03\x00abc", b"\xff\xff"):
        link, _ = link_to(lambda frame, told=told: answer(frame, told))  # type: ignore[misc]
        with pytest.raises(FirmwareError, match=r"flash it again|build and flash it"):
            Client(link)


def test_a_board_that_stops_is_not_said_to_be_another() -> None:
    link, line = link_to(lambda frame: answer(frame) if line.now < 1 else b"")
    link.request(Command.HELLO)
    line.now = 2
    with pytest.raises(SilenceError, match="on /dev/fake has stopped answering: nothing more for 3 s"):
        link.request(Command.MEMORY, patience=3)


@pytest.mark.parametrize("status", [0, Status.OTHER_VERSION])
def test_another_version_is_named(status: int) -> None:
    link, _ = link_to(lambda frame: answer(frame, status=status, version=2))
    with pytest.raises(FirmwareError, match=r"speaks version 2 .* and this tinynas version 1: .*flash"):
        link.request(Command.HELLO)


def test_a_refusal_is_no_reason_to_wait() -> None:
    link, line = link_to(lambda frame: answer(frame, status=Status.UNKNOWN_COMMAND))
    with pytest.raises(FirmwareError, match=r"refuses the command profile \(status 1\)"):
        link.request(Command.PROFILE)
    assert line.now == 0


def test_a_restarted_board_is_its_own_error() -> None:
    link, _ = link_to(lambda frame: answer(frame, status=Status.NOT_READY))
    with pytest.raises(NotReadyError, match="was restarted"):
        link.request(Command.OUTPUT)


def test_a_line_that_is_gone_ends_it_at_once() -> None:
    link, line = link_to(lambda _: b"")

    def read() -> bytes:
        raise LinkError("the board on /dev/fake was unplugged")

    line.read = read  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="unplugged") as caught:
        link.request(Command.INFER, patience=60)
    assert line.now == 0 and not isinstance(caught.value, SilenceError)


def test_two_sessions_do_not_begin_alike() -> None:
    """Or the board would take the second one's first request for a repetition."""
    firsts = set()
    for _ in range(20):
        link, line = link_to(lambda frame: answer(frame))
        link.request(Command.HELLO)
        firsts.add(line.asked[0].sequence)
    assert len(firsts) > 15


@given(noise=st.lists(st.binary(max_size=40), min_size=1, max_size=8))
def test_noise_is_never_taken_for_an_answer(noise: list[bytes]) -> None:
    link, line = link_to(lambda frame: noise[len(line.asked) % len(noise)])
    with pytest.raises(SilenceError):
        link.request(Command.LOAD, patience=2)
    assert line.now < 2.1
