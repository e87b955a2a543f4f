"""The virtual board as its users see it: a process, a serial port, a report when the firmware fails."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from virtual_build import BOARDS, ROOT, build, require_virtual, run

from tinynas.device.virtual.process import _await_port, virtual_board
from tinynas.errors import LinkError, TinynasError, ToolchainError

pytestmark = pytest.mark.slow
NO_NUMBA = importlib.util.find_spec("numba") is None
PLAIN = ("--stdio", "--no-native", "--seconds", "60")


@pytest.mark.parametrize("board", BOARDS)
def test_boots_echoes_by_interrupt_and_initialises_memory(board: str) -> None:
    ended = run(build(board), board, b"xyzIFVN", *PLAIN)
    lines = ended.stdout.split(b"\n")
    assert lines[0] == b"ready"
    assert lines[1] == b"xyz12345678"  # .data copied
    assert int(lines[2], 16) == 0  # .bss cleared, over RAM that is random at power-on
    assert int(lines[3], 16) == 450  # floating point
    assert int(lines[4], 16) == 1  # one supervisor call
    assert ended.returncode == 1  # the last command is a fault


@pytest.mark.parametrize("board", BOARDS)
def test_counts_cycles_that_grow_with_the_work(board: str) -> None:
    ended = run(build(board), board, b"CCN", *PLAIN)
    first, second = (int(line, 16) for line in ended.stdout.split(b"\n")[1:3])
    # 100 x 64 rounds of load, add, multiply-accumulate, compare, branch
    least, most = (2, 5) if BOARDS[board][0] == "cortex-m7" else (5, 13)
    assert least * 6400 < second < most * 6400
    assert (
        abs(first - second) < 0.02 * second
    )  # only the branch predictor's and the cache's beginnings differ


@pytest.mark.skipif(NO_NUMBA, reason="numba is not installed")
@pytest.mark.parametrize("board", ["stm32f746", "stm32l4r5"])
def test_native_and_plain_counting_agree_to_the_cycle(board: str) -> None:
    plain = run(build(board), board, b"CCN", *PLAIN)
    native = run(build(board), board, b"CCN", "--stdio", "--seconds", "60")
    assert native.stdout == plain.stdout


FAULTS = {
    b"N": ("bus fault", "reads 4 bytes at 0x60000000, where there is no memory"),
    b"W": ("bus fault", "writes 4 bytes at 0x08000000, which cannot be written"),
    b"J": ("bus fault", "a jump to 0x90000000, where there is no code"),
    b"A": ("usage fault", "even address"),
    b"U": ("usage fault", "(0xDE00) undefined on a cortex-m7"),
    b"S": ("stack overflow", "below its end"),
    b"B": ("breakpoint", "no debugger"),
    b"L": ("endless loop", "nothing can end it"),
    b"M": ("endless loop", "reading RCC.CR (0x40023800)"),
    b"Z": ("endless sleep", "none is on that could come"),
}


@pytest.mark.parametrize("letter", FAULTS)
def test_a_fault_ends_with_a_report_not_a_hang(letter: bytes) -> None:
    ended = run(build("stm32f746"), "stm32f746", letter, *PLAIN)
    kind, words = FAULTS[letter]
    report = ended.stderr.decode()
    assert ended.returncode == 1
    assert f"{kind}: " in report and words in report
    assert "pc 0x" in report and "sp 0x" in report
    if letter not in b"JA":  # they fail where no function is
        assert " in run" in report or " in deeper" in report or " in command" in report


def test_a_long_loop_in_floating_point_is_not_an_endless_one() -> None:
    ended = run(build("stm32f746"), "stm32f746", b"GN", *PLAIN)
    assert int(ended.stdout.split(b"\n")[1], 16) == 3_000_000
    assert "bus fault" in ended.stderr.decode()


def test_tasks_are_switched_with_their_registers() -> None:
    ended = run(build("stm32f746", source="virtual_tasks.c"), "stm32f746", b"", *PLAIN)
    assert ended.stdout == b"++.\n"  # both had their turns, and no register was lost
    assert "tick_handler" in ended.stderr.decode()


def test_floating_point_before_it_is_switched_on_is_a_fault() -> None:
    ended = run(build("stm32f746", "-DNO_FPU"), "stm32f746", b"F", *PLAIN)
    assert ended.returncode == 1
    assert "SCB.CPACR" in ended.stderr.decode()


def test_a_reset_request_starts_again() -> None:
    ended = run(build("stm32f746"), "stm32f746", b"R", "--stdio", "--no-native", "--seconds", "3")
    assert ended.stdout == b"ready\nready\n"
    assert ended.returncode == 0


def test_sleeps_by_systick_as_long_as_it_says() -> None:
    ended = run(build("stm32f746"), "stm32f746", b"DN", *PLAIN)
    assert int(ended.stdout.split(b"\n")[1], 16) == 20


@pytest.mark.parametrize("board", ["stm32f746", "stm32l4r5"])
def test_an_interrupt_ends_a_sleep_behind_a_mask_and_comes_in_when_it_goes(board: str) -> None:
    ended = run(build(board), board, b"EEN", *PLAIN)
    first, ticks, second, more = (int(line, 16) for line in ended.stdout.split(b"\n")[1:5])
    assert ticks == more == 20
    # some tens of instructions and an exception's entry and return for each sleep, and none of its cycles
    assert 20 * 30 < second <= first < 20 * 120


def test_pyserial_opens_it_again_and_again() -> None:
    serial = pytest.importorskip("serial")
    with virtual_board(build("stm32f746"), "stm32f746") as board:
        assert board.report() is None
        for _ in range(2):
            with serial.serial_for_url(board.url, timeout=20) as port:
                port.write(b"hello")
                answer = port.read(5)
                assert answer.removeprefix(b"ready\n") and set(answer) <= set(b"ready\nhello")
                port.reset_input_buffer()


def test_a_pseudo_terminal_too() -> None:
    serial = pytest.importorskip("serial")
    require_virtual()
    command = [
        sys.executable,
        "-m",
        "tinynas.device.virtual",
        str(build("stm32f746")),
        "--board",
        "stm32f746",
    ]
    process = subprocess.Popen(
        [*command, "--pty", "--no-native"], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stderr is not None
        url = process.stderr.readline().split("serial port ")[1].strip()
        with serial.serial_for_url(url, timeout=20) as port:
            port.write(b"q")
            assert b"q" in port.read_until(b"q")
    finally:
        process.terminate()
        process.communicate()


def test_polling_firmware_is_not_an_endless_loop() -> None:
    elf = build("stm32f746", "-DPOLLING")
    ended = run(elf, "stm32f746", b"", "--stdio", "--no-native", "--seconds", "4")
    assert ended.returncode == 0, ended.stderr.decode()


def test_json_says_how_it_ended_and_that_it_is_modelled(tmp_path: Path) -> None:
    ended = run(build("stm32f746"), "stm32f746", b"", "--json", "--no-native", "--seconds", "1")
    facts = json.loads(ended.stdout)
    assert facts["ending"]["kind"] == "stopped" and not facts["ending"]["fault"]
    assert facts["accuracy"] == "modelled, +-15 %"
    assert facts["instructions"] > 0


def test_firmware_of_another_chip_is_not_heard() -> None:
    ended = run(build("stm32f746"), "stm32h743", b"", *PLAIN)
    # it loads, flash being at the same place, and both have RAM there; but its serial line is another
    assert b"ready" not in ended.stdout


@pytest.mark.parametrize(
    ("name", "words"), [("missing.elf", "there is no firmware"), ("text.elf", "not an ELF file")]
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, name: str, words: str) -> None:
    require_virtual()
    (tmp_path / "text.elf").write_text("not an ELF")
    ended = run(tmp_path / name, "stm32f746", b"")
    assert ended.returncode == 2
    assert ended.stderr.decode().startswith("error (request): ")
    assert words in ended.stderr.decode() and ended.stderr.count(b"\n") == 1


def test_a_board_without_a_chip_file_says_which_there_are() -> None:
    ended = run(build("stm32f746"), "esp32s3", b"")
    assert ended.returncode == 2
    assert "stm32f412, stm32f746, stm32h743, stm32h7a3, stm32l4r5" in ended.stderr.decode()


def test_a_process_that_does_not_start_raises_its_own_sentence(tmp_path: Path) -> None:
    require_virtual()
    with (
        pytest.raises(ToolchainError, match="there is no firmware"),
        virtual_board(tmp_path / "none.elf", "stm32f746"),
    ):
        pass


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("", LinkError, "ended before its port was open"),
        ("error (board): no chip\n", ToolchainError, "^no chip"),
    ],
)
def test_a_board_that_is_killed_while_it_starts_is_gone(
    tmp_path: Path, said: str, kind: type[TinynasError], words: str
) -> None:
    """A search pauses for the first and ends by the second."""
    (tmp_path / "log").write_text(said)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        process.kill()
        with pytest.raises(kind, match=words):
            _await_port(process, tmp_path / "port", tmp_path / "log")


def test_a_board_ends_with_whoever_started_it() -> None:
    elf = build("stm32f746")
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from tinynas.device.virtual.process import virtual_board\n"
        "with virtual_board(Path(sys.argv[1]), 'stm32f746') as board:\n"
        "    print(board._process.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(elf)], stdout=subprocess.PIPE, cwd=ROOT)
    assert owner.stdout is not None
    board = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 30
    while _alive(board) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(board)


def _alive(process: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked yet does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_rest_of_tinynas_never_imports_unicorn() -> None:
    imports = "import sys, tinynas.cli.board_run, tinynas.device.virtual.process"
    code = f"{imports}; sys.exit('unicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
