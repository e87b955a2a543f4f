"""``python -m tinynas.device.virtual FILE.elf --board ID``: a virtual board as a process of its own."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinynas.board import load_board
from tinynas.device.virtual.accuracy import accuracy
from tinynas.device.virtual.chip import load_chip
from tinynas.device.virtual.image import read_image
from tinynas.errors import TinynasError, ToolchainError

if TYPE_CHECKING:
    from tinynas.device.virtual.machine import Machine
    from tinynas.device.virtual.wire import Endpoint

_NEEDED = {"unicorn": "unicorn", "capstone": "capstone", "elftools": "pyelftools"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a board until a fault, Ctrl-C or the end of ``--seconds``; 0, 1 after a fault, 2 for a wrong
    request.
    """
    options = _parser().parse_args(arguments)
    try:
        _check_installed()
        return _run(options)
    except TinynasError as error:
        print(f"error ({error.culprit}): {error}", file=sys.stderr)
        return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tinynas.device.virtual", description=__doc__)
    parser.add_argument("elf", type=Path, metavar="FILE.elf", help="any firmware for the board's chip")
    parser.add_argument("--board", required=True, help="a board's id, or a board file x.json")
    parser.add_argument("--port-file", type=Path, help="where to write the serial port's address")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--tcp-port", type=int, default=0, help="serial port at this TCP port (default: any)")
    where.add_argument("--pty", action="store_true", help="serial port as a pseudo-terminal")
    where.add_argument("--stdio", action="store_true", help="serial port on standard input and output")
    parser.add_argument("--leash", action="store_true", help="stop when standard input ends")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds of real time")
    parser.add_argument("--json", action="store_true", help="print how it ended as one JSON object")
    parser.add_argument("--no-native", action="store_true", help="count without numba, ten times slower")
    return parser


def _check_installed() -> None:
    missing = [package for module, package in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ToolchainError(
            f"the virtual board needs {', '.join(missing)}, which is missing: pip install 'tinynas[virtual]'"
        )


def _run(options: argparse.Namespace) -> int:
    from tinynas.device.virtual.edges import native_available
    from tinynas.device.virtual.ending import report
    from tinynas.device.virtual.machine import Machine
    from tinynas.device.virtual.wire import Wire

    board = load_board(options.board)
    flash = next(region.origin for region in board.regions if region.kind == "flash")
    chip, image = load_chip(board), read_image(options.elf, flash)
    endpoint = _endpoint(options)
    native = native_available() and not options.no_native
    machine = Machine(board, chip, image, Wire(endpoint), native=native)
    _announce(endpoint.url, options)
    for number in (signal.SIGINT, signal.SIGTERM):
        # no exception: it could come up inside one of Unicorn's callbacks and be lost there
        signal.signal(number, lambda *_: machine.stop())
    if options.leash:
        threading.Thread(target=_hold, args=(machine,), daemon=True, name="leash").start()
    started = time.monotonic()
    ending = machine.run(options.seconds)
    machine.wire.flush()
    facts = _facts(machine, time.monotonic() - started)
    if options.json:
        print(json.dumps(facts | {"ending": ending.to_dict()}, indent=2))
    if ending.fault:
        print(report(ending), file=sys.stderr)
    if machine.bus.unclocked:
        names = ", ".join(sorted(machine.bus.unclocked))
        print(f"remark: {names} used before its clock was on in RCC: reads gave zero", file=sys.stderr)
    print(_sentence(facts, machine.board.clock_hz), file=sys.stderr, flush=True)
    return 1 if ending.fault else 0


def _endpoint(options: argparse.Namespace) -> Endpoint:
    from tinynas.device.virtual.wire import PseudoTerminal, TcpPort, Terminal

    if options.stdio:
        return Terminal()
    if options.pty:
        return PseudoTerminal()
    try:
        return TcpPort(options.tcp_port)
    except OSError as failure:
        raise ToolchainError(
            f"TCP port {options.tcp_port} cannot be opened ({failure.strerror}): choose another --tcp-port"
        ) from None


def _hold(machine: Machine) -> None:
    """Stops the board when whoever started it has gone, however that came."""
    while os.read(0, 1):
        pass
    machine.stop()


def _announce(url: str, options: argparse.Namespace) -> None:
    """Says where the port is; the file appears complete or not at all."""
    print(f"virtual {options.board}: serial port {url}", file=sys.stderr, flush=True)
    if options.port_file is not None:
        draft = options.port_file.with_name(f"{options.port_file.name}.{os.getpid()}")
        draft.write_text(f"{url}\n", encoding="utf-8")
        draft.replace(options.port_file)


def _facts(machine: Machine, seconds: float) -> dict[str, object]:
    return {
        "board": machine.board.id,
        "instructions": machine.instructions,
        "modelled_cycles": machine.cycles,
        "modelled_ms": machine.cycles / machine.board.clock_hz * 1000,
        "accuracy": accuracy(machine.board.core),
        "resets": machine.resets,
        "used_without_clock": sorted(machine.bus.unclocked),
        "host_seconds": seconds,
        "native": machine.edges.native,
    }


def _sentence(facts: dict[str, object], clock_hz: int) -> str:
    return (
        f"virtual {facts['board']}: {facts['instructions']:,} instructions in {facts['modelled_ms']:,.3f} ms "
        f"of board time at {clock_hz / 1e6:g} MHz ({facts['accuracy']}), {facts['host_seconds']:.1f} s here"
    )


if __name__ == "__main__":
    sys.exit(main())
