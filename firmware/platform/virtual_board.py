"""Plugs a virtual board in and out: what `pio run -e stm32f746_local -t upload` and `-t unplug` do.

    python virtual_board.py plug FILE.elf --board stm32f746 --port socket://127.0.0.1:57746
    python virtual_board.py unplug FILE.elf

A process of its own goes on running the firmware behind that port, as a board on the desk does, for half an
hour at most. Beside the ELF file lie its process id and what it said.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
MODULE = "tinynas.device.virtual"
SECONDS_PLUGGED_IN = 1800
SECONDS_TO_START = 60
SECONDS_TO_STOP = 10


def main():
    options = parse()
    beside = options.elf.parent
    unplug(beside / "virtual.pid")
    return plug(options, beside) if options.action == "plug" else 0


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["plug", "unplug"])
    parser.add_argument("elf", type=Path)
    parser.add_argument("--board", help="the board's id")
    parser.add_argument("--port", default="", help="socket://127.0.0.1:PORT, where its serial line is to be")
    options = parser.parse_args()
    if options.action == "plug" and not (options.board and options.port.rpartition(":")[2].isdigit()):
        parser.error("plug needs --board and --port socket://127.0.0.1:PORT (monitor_port in platformio.ini)")
    return options


def plug(options, beside):
    announced, log = beside / "virtual.port", beside / "virtual.log"
    announced.unlink(missing_ok=True)
    command = [sys.executable, "-m", MODULE, str(options.elf), "--board", options.board]
    command += ["--tcp-port", options.port.rpartition(":")[2], "--port-file", str(announced)]
    command += ["--seconds", str(SECONDS_PLUGGED_IN)]
    with log.open("wb") as said:
        board = subprocess.Popen(
            command,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
            },
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    (beside / "virtual.pid").write_text(str(board.pid))
    until(lambda: announced.exists() or board.poll() is not None, SECONDS_TO_START)
    if board.poll() is not None or not announced.exists():
        print(log.read_text(errors="replace") or "the virtual board did not start", file=sys.stderr)
        unplug(beside / "virtual.pid")
        return 1
    print(f"virtual {options.board} runs the firmware; its serial port is {announced.read_text().strip()}")
    return 0


def unplug(pid_file):
    """Ends the board that was plugged in before, and only that: a process id may be another's by now."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    if is_virtual_board(pid):
        os.kill(pid, signal.SIGTERM)
        until(lambda: not is_virtual_board(pid), SECONDS_TO_STOP)
    pid_file.unlink()


def is_virtual_board(pid):
    asked = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return MODULE in asked.stdout


def until(happened, seconds):
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.05)
    return happened()


if __name__ == "__main__":
    sys.exit(main())
