"""The C kernels' two paths, portable under sanitizers and Armv7E-M's in QEMU, must give the same bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from kernel_host import ENGINE, FLAGS, compiler, sources

HERE = Path(__file__).resolve().parent
DRIVER = str(HERE / "kernel_driver.c")
#: bytes of all kernels' code and constants together; no network has them all
CODE_LIMIT = 32_000
STACK_LIMIT = 2_048


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the driver prints on this machine, under AddressSanitizer and UndefinedBehaviorSanitizer."""
    target = tmp_path_factory.mktemp("host") / "driver"
    checks = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [compiler("gcc"), "-std=c11", *checks, f"-I{ENGINE}", DRIVER, *sources(), "-o", str(target)]
    built = subprocess.run(command, capture_output=True, text=True)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("this GCC has no sanitizers")
    assert built.returncode == 0, built.stderr
    run = subprocess.run([str(target)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("\n") > 500
    return run.stdout


@pytest.mark.parametrize(
    "flags",
    [
        ("-mcpu=cortex-m7", "-O2"),
        ("-mcpu=cortex-m7", "-O0"),
        ("-mcpu=cortex-m4", "-Os", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        ("-mcpu=cortex-m0plus", "-O2"),
    ],
    ids=" ".join,
)
def test_every_core_computes_the_same(flags: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    gcc, qemu = compiler("arm-none-eabi-gcc"), compiler("qemu-system-arm")
    image = str(tmp_path / "driver.elf")
    linker = ["-nostartfiles", "-T", str(HERE / "kernel_driver.ld")]
    command = [gcc, "-std=c11", "-mthumb", *flags, *linker, f"-I{ENGINE}", DRIVER, *sources(), "-o", image]
    subprocess.run(command, check=True)
    machine = ["-M", "mps2-an500", "-nographic", "-monitor", "none"]
    output = ["-semihosting-config", "enable=on,target=native"]
    command = [qemu, *machine, *output, "-kernel", image]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.stdout + run.stderr == expected


def compiled(tmp_path: Path, core: str) -> Path:
    """A folder with every kernel compiled for `core` without a warning, and its .su files."""
    gcc = compiler("arm-none-eabi-gcc")
    for source in sources():
        target = tmp_path / (Path(source).stem + ".o")
        command = [gcc, *FLAGS, f"-mcpu={core}", "-mthumb", "-fstack-usage", "-c", source, "-o", str(target)]
        subprocess.run(command, check=True)
    return tmp_path


@pytest.mark.parametrize("core", ["cortex-m7", "cortex-m0plus"])
def test_code_and_stack_are_small_and_there_is_no_state(core: str, tmp_path: Path) -> None:
    folder = compiled(tmp_path, core)
    objects = sorted(str(path) for path in folder.glob("*.o"))
    command = [compiler("arm-none-eabi-size"), *objects]
    size = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = [[int(word) for word in line.split()[:3]] for line in size.stdout.splitlines()[1:]]
    code, data, bss = (sum(column) for column in zip(*rows, strict=True))
    assert code < CODE_LIMIT
    assert data == bss == 0, "kernels keep nothing between two inferences"

    frames = {}
    for path in folder.glob("*.su"):
        for line in path.read_text().splitlines():
            name, frame, kind = line.split("\t")
            assert kind == "static", f"{name}: stack of unknown size"
            frames[name.rsplit(":", 1)[1]] = int(frame)
    # no chain of calls is longer than seven: run, kernel, row, pixels, outputs, rescaling, memcpy
    assert sum(sorted(frames.values())[-7:]) < STACK_LIMIT
