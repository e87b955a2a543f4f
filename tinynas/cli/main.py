"""The ``tinynas`` command: its sub-commands, and the one place that prints errors.

Nothing heavy is imported here: each command imports what it needs when it is called, so that
``tinynas boards`` answers at once.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from tinynas import __version__
from tinynas.cli.board_run import board_app
from tinynas.cli.boards import boards
from tinynas.cli.compare import compare
from tinynas.cli.compile import compile_
from tinynas.cli.cost import cost
from tinynas.cli.device import build, deploy, flash, measure
from tinynas.cli.pick import pick
from tinynas.cli.plan import plan
from tinynas.cli.profile import profile
from tinynas.cli.report import report
from tinynas.cli.search import search
from tinynas.cli.show import show
from tinynas.cli.space import space
from tinynas.cli.study import study
from tinynas.errors import TinynasError

INTERRUPTED = 130
DEBUG = "TINYNAS_DEBUG"
#: commands that go on where they were interrupted
_RESUMABLE = ("search", "study", "compare", "pick", "profile")

app = typer.Typer(
    name="tinynas",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Example: tinynas search --board stm32f746 --sram 320k",
)
app.command(epilog="Example: tinynas boards stm32f746")(boards)
app.command(epilog="Example: tinynas space --board stm32f746 --sram 320k --plot space.png")(space)
app.command(
    epilog="Example: tinynas search --family regnetx --board stm32f746 --sram 320k --flash 1m --data digits"
)(search)
app.command(epilog="Example: tinynas show runs/stm32f746-320k-digits-s0-1f3a09")(show)
app.command(epilog="Example: tinynas report runs/stm32f746-320k-digits-s0-1f3a09 --open")(report)
app.command(epilog="Example: tinynas pick runs/stm32f746-320k-digits-s0-1f3a09 --latency 50ms --sram 64k")(
    pick
)
app.command(epilog="Example: tinynas plan model.tflite --plot plan.png")(plan)
app.command(
    "compile",
    epilog="Example: tinynas compile model.tflite -o lib/model --optimize speed --arena 65536 --check",
)(compile_)
app.add_typer(board_app, name="board")
app.command(epilog="Example: tinynas build model.onnx --data ./photos --board stm32f746")(build)
app.command(epilog="Example: tinynas flash model.tflite --board stm32f746")(flash)
app.command(epilog="Example: tinynas measure model.tflite --board stm32f746 --port /dev/ttyACM0 --layers")(
    measure
)
app.command(
    epilog="Example: tinynas deploy runs/stm32f746-320k-digits-s0-1f3a09 --board stm32f746 --virtual"
)(deploy)
app.command(
    epilog="Example: tinynas study --space anynetx-a,regnetx --board stm32f746 --sram 320k --data cifar10 "
    "--resolution 24 --macs 0.5m-2m --networks 40"
)(study)
app.command(
    epilog="Example: tinynas compare --board stm32f746 --sram 64k --data cifar10 --seeds 5 --plot compare.png"
)(compare)
app.command(epilog="Example: tinynas profile --board stm32f746 --port /dev/ttyACM0")(profile)
app.command(epilog="Example: tinynas cost mcunet-in2 --board stm32f746 --runtime tflm")(cost)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"tinynas {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """From a microcontroller board and a memory budget to an int8 network that provably fits it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line ``arguments`` (``sys.argv`` where None); the exit status.

    0 done, 1 it failed, 2 the request was wrong, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    _tolerate_narrow_encodings()
    try:
        status = app(args=words, prog_name="tinynas", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:
        if os.environ.get(DEBUG) == "1":
            raise
        culprit, sentence, status = _explained(error)
        _print_error(culprit, sentence, as_json="--json" in words)
    # typer turns Ctrl-C into this status
    if status == INTERRUPTED:
        rest = ": run the same command again to go on" if words[0] in _RESUMABLE else ""
        print(f"interrupted{rest}", file=sys.stderr)
    return int(status or 0)


def _explained(error: Exception) -> tuple[str, str, int]:
    """Who is at fault, one sentence, and the exit status."""
    if isinstance(error, TinynasError):
        return error.culprit, str(error), error.exit_status
    if isinstance(error, typer.TyperException):
        return "command line", _with_help(error), 2
    if isinstance(error, OSError):
        return _explained_os_error(error)
    if isinstance(error, MemoryError):
        return "computer", "out of memory: close other programs, or lower --batch-size and --samples", 1
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return "tinynas", f"this is a defect of tinynas ({what}): {DEBUG}=1 before the command shows where", 1


def _explained_os_error(error: OSError) -> tuple[str, str, int]:
    place = f" '{error.filename}'" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" to write{place}" if place else ""
        return "disk", f"no space is left on the disk{where}: free some and run the same command again", 1
    reason = (error.strerror or str(error)).lower()
    return "file", f"{place.strip() or 'a file'} cannot be used ({reason}): check its path and permissions", 1


def _with_help(error: typer.TyperException) -> str:
    """Typer's sentence, and the command whose help has the answer."""
    # a choice that is none is told as Python's error
    sentence = error.format_message().strip().rstrip(".").replace("Value error, ", "", 1)
    context = getattr(error, "ctx", None)
    if not sentence:  # its help was printed already
        sentence = "a command is missing"
    joint = " See" if sentence.endswith("?") else "; see"
    command = context.command_path if context else "tinynas"
    return f"{sentence[:1].lower()}{sentence[1:]}{joint} `{command} --help`"


def _print_error(culprit: str, sentence: str, as_json: bool) -> None:
    """One line for people; with ``--json`` also an object for programs, alone on standard output."""
    line = " ".join(sentence.split())
    with suppress(BrokenPipeError):
        if as_json:
            print(json.dumps({"error": line, "culprit": culprit}), flush=True)
        print(f"error ({culprit}): {line}", file=sys.stderr)


def _tolerate_narrow_encodings() -> None:
    """A terminal without Unicode shows question marks; it never makes a command fail."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="replace")


def _reader_gone() -> int:
    """Whoever read our output has left (``| head``): nothing to say, and nobody to say it to."""
    # Python flushes standard output once more on its way out, which must not fail again
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
