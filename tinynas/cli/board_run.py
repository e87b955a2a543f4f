"""``tinynas board run``: any firmware on a virtual board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tinynas.board import load_board
from tinynas.cli.console import BoardOption
from tinynas.errors import RequestError

_EXAMPLE = "Example: tinynas board run firmware.elf --board stm32f746 --serial"
board_app = typer.Typer(
    help="Boards that run here: firmware on a virtual board.", no_args_is_help=True, epilog=_EXAMPLE
)


@board_app.command("run", epilog=_EXAMPLE)
def run(
    elf: Annotated[
        Path,
        typer.Argument(metavar="FILE.elf", help="A firmware."),
    ],
    board: BoardOption,
    serial: Annotated[
        bool, typer.Option("--serial", help="Connect the board's serial line to this terminal.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.0, help="Stop after so many seconds. Default: Ctrl-C.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print how it ended as one JSON object and nothing else.")
    ] = False,
) -> None:
    """Run a firmware on the virtual board, behind a serial port for any program.

    A fault, a stack overflow or a loop without end stops it with a report and exit status 1. Times are
    modelled: +-15 % on a Cortex-M7, up to 7 % too low on a Cortex-M4 where they could be compared.
    """
    if serial and as_json:
        raise RequestError("--serial and --json both need standard output: use one of them")
    load_board(board)
    arguments = [sys.executable, "-m", "tinynas.device.virtual", str(elf), "--board", board]
    arguments += ["--stdio"] if serial else []
    arguments += ["--json"] if as_json else []
    arguments += ["--seconds", str(seconds)] if seconds is not None else []
    raise typer.Exit(_wait(subprocess.Popen(arguments)))


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The board's own exit status; Ctrl-C reaches it too, and it says its last words itself."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
