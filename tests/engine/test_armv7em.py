"""Compiled models on a bare Cortex-M7 and M4: bytes, arena, stack and flash, in QEMU and Unicorn.

apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
pip install 'tinynas[virtual]'
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_tflite import binary, concatenation, convolution, dense, mean, pool, unary
from numpy.typing import NDArray
from random_network import random_tflite

from tinynas.engine.choosing import Goal
from tinynas.graph import Activation, OpKind, Padding
from tinynas.networks import build_graph, find_network
from tinynas.pipeline.compile_check import random_samples

pytest.importorskip("elftools", reason="pyelftools is not installed: pip install 'tinynas[virtual]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from cores.build import (
    CORTEX_M4,
    CORTEX_M7,
    Core,
    Firmware,
    Interface,
    build,
    compiler_missing,
)
from cores.emitted import Emitted, build_emitted, differing_outputs, firmware_inputs
from cores.qemu import Run, emulator_missing, run_in_qemu
from cores.stack import stack_bound
from cores.unicorn_process import count, unicorn_missing

pytestmark = pytest.mark.skipif(
    bool(compiler_missing() or emulator_missing()), reason=str(compiler_missing() or emulator_missing())
)
needs_unicorn = pytest.mark.skipif(bool(unicorn_missing()), reason=str(unicorn_missing()))

#: light ones; benchmarks/exactness.py compares all of them
MODELS = ("mlperftiny__kws_ref_model", "mlperftiny__ad01_int8", "tflm__hello_world_int8")
CORES = pytest.mark.parametrize("core", [CORTEX_M7, CORTEX_M4], ids=lambda core: core.cpu)
MOST_STACK, MOST_CODE = 2048, 20_000


def _built(shared: Path, name: str, core: Core, folder: Path, flags: tuple[str, ...] = ()) -> Emitted:
    return build_emitted((shared / "models" / f"{name}.tflite").read_bytes(), name, core, folder, flags=flags)


def _samples(emitted: Emitted, count: int) -> list[NDArray[Any]]:
    return random_samples(emitted.original, emitted.plan.graph, count)


def _exact_run(emitted: Emitted, samples: list[NDArray[Any]], folder: Path) -> Run:
    """QEMU's run of `samples`, each of which must give TFLM's bytes."""
    run = run_in_qemu(emitted.firmware, firmware_inputs(emitted, samples), folder)
    assert differing_outputs(emitted, samples, run.outputs) == 0, emitted.original.name
    assert emitted.arena_bytes() == emitted.plan.arena
    return run


@pytest.mark.slow
@CORES
@pytest.mark.parametrize("name", MODELS)
def test_bytes_equal_tflm(shared: Path, tmp_path: Path, name: str, core: Core) -> None:
    emitted = _built(shared, name, core, tmp_path)
    run = _exact_run(emitted, _samples(emitted, 3), tmp_path)
    bound = stack_bound(emitted.firmware, "run_model", set(emitted.plan.kernels))
    assert max(run.stack) <= bound.bytes < MOST_STACK, bound.path


@pytest.mark.slow
def test_vww_runs_exactly_in_20_kb_of_code(shared: Path, tmp_path: Path) -> None:
    emitted = _built(shared, "mlperftiny__vww_96_int8", CORTEX_M7, tmp_path)
    samples = _samples(emitted, 2)
    run = _exact_run(emitted, samples, tmp_path)
    run.outputs[1, 0] ^= 1
    assert differing_outputs(emitted, samples, run.outputs) == 1
    code = emitted.firmware.section_bytes(".engine") + emitted.firmware.section_bytes(".model_code")
    assert 1_000 < code < MOST_CODE
    assert emitted.firmware.section_bytes(".bss") == emitted.plan.arena
    assert emitted.firmware.section_bytes(".data") == 0
    # the compiler may do without a table of one offset, and fills gaps between tables
    assert abs(emitted.firmware.section_bytes(".constants") - emitted.emission.flash.total) <= 16


@pytest.mark.slow
def test_the_portable_path_gives_the_same_bytes(shared: Path, tmp_path: Path) -> None:
    runs = []
    for flags in ((), ("-DTN_PORTABLE",)):
        emitted = _built(shared, "mlperftiny__kws_ref_model", CORTEX_M7, tmp_path / str(len(flags)), flags)
        runs.append(_exact_run(emitted, _samples(emitted, 2), tmp_path))
    # were the two the same code, nothing would have been compared
    assert runs[0].instructions[0] < 0.9 * runs[1].instructions[0]


def _random_operators() -> Iterator[tuple[str, bytes]]:
    """One model of each kernel, of sizes that leave remainders of every unrolled loop."""
    rng = np.random.default_rng(3)
    same, valid, relu = Padding.SAME, Padding.VALID, Activation.RELU
    yield "convolution", convolution(rng, (7, 6, 3), 5, (3, 3), (2, 2), same, activation=relu)
    yield "winograd", convolution(rng, (5, 13, 8), 16, (3, 3), (1, 1), same, activation=relu)
    yield "groups", convolution(rng, (5, 5, 6), 9, (3, 2), (1, 1), valid, groups=3)
    yield "pointwise", convolution(rng, (3, 7, 13), 11, (1, 1), (1, 1), valid)
    yield "depthwise", convolution(rng, (9, 7, 7), 7, (5, 5), (1, 1), same, depthwise=True)
    yield (
        "depthwise3",
        convolution(rng, (6, 9, 10), 10, (3, 3), (2, 2), same, depthwise=True, activation=relu),
    )
    yield "multiplied", convolution(rng, (5, 4, 2), 6, (3, 3), (1, 1), same, depthwise=True)
    yield "dense", dense(rng, 37, 7, activation=Activation.NONE, per_channel=False, bias=True)
    yield "add", binary(rng, OpKind.ADD, (1, 3, 5, 7), (1, 3, 5, 7), activation=relu)
    yield "mul", binary(rng, OpKind.MUL, (1, 3, 5, 7), (1, 1, 1, 7))
    yield "average", pool(rng, OpKind.AVERAGE_POOL_2D, (7, 7, 5), (3, 3), (2, 2), same, Activation.NONE)
    yield "maximum", pool(rng, OpKind.MAX_POOL_2D, (7, 7, 5), (2, 3), (2, 2), valid, relu)
    yield "mean", mean(rng, (5, 3, 9), (1, 2), keep=False, same=False)
    yield "softmax", unary(rng, OpKind.SOFTMAX, (1, 9), (0.07, 1 / 256), (3, -128))
    yield "logistic", unary(rng, OpKind.LOGISTIC, (1, 4, 3, 5), (0.05, 1 / 256), (-7, -128))
    yield "concatenation", concatenation(rng, [(1, 3, 4, 5), (1, 3, 4, 2)], 3)


@pytest.mark.slow
@pytest.mark.parametrize("goal", Goal)
@CORES
def test_every_kernel_equals_tflm(tmp_path: Path, core: Core, goal: Goal) -> None:
    def check(named: tuple[str, bytes]) -> None:
        name, model = named
        emitted = build_emitted(model, name, core, tmp_path / name, goal=goal)
        _exact_run(emitted, _samples(emitted, 8), tmp_path / name)

    with ThreadPoolExecutor() as workers:
        assert len(list(workers.map(check, _random_operators()))) == 16


#: mobile networks with residuals, gates, odd widths and every window of the spaces; a RegNetX, a RegNetY
NETWORKS = (
    "r17x3 conv_k3_s2_c7 ds_k3_s1_c8 ir_r2_k5_s2_e3_c12_se0.25 ir_r2_k7_s1_e4_c12 fc_c5",
    "r23x1 conv_k5_s2_c8 ir_r3_k3_s1_e4_c8 ir_r2_k7_s2_e5_c17 conv_k1_s1_c31 fc_c3",
    "r32x3 conv_k3_s2_c16 ds_k3_s2_c8 ir_r3_k3_s1_e6_c8_se0.5 ir_r2_k5_s2_e3_c24 fc_c10",
    "r27x3 conv_k3_s2_c16_relu x_r2_k3_s2_c24_b1_g8 x_r2_k3_s2_c56_b1_g8 x_k3_s2_c120_b2_g2 fc_c10",
    "r30x1 conv_k3_s2_c8_relu x_k3_s2_c16_b1_g16_se0.25 x_r2_k3_s2_c36_b1_g3_se0.25 fc_c5",
)


@pytest.mark.slow
@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize("seed", range(len(NETWORKS)))
def test_random_networks_equal_tflm(tmp_path: Path, seed: int, goal: Goal) -> None:
    model = random_tflite(build_graph(find_network(NETWORKS[seed])), seed)
    emitted = build_emitted(model, "random", CORTEX_M7, tmp_path, goal=goal)
    # pictures of different brightness: noise alone is averaged out at the end
    brightness = np.arange(-60, 61, 24).reshape(-1, 1, 1, 1, 1)
    samples = (_samples(emitted, len(brightness))[0] // 2 + brightness).astype(np.int8)
    run = _exact_run(emitted, [samples], tmp_path)
    assert len({output.tobytes() for output in run.outputs}) == len(samples)


@needs_unicorn
@pytest.mark.slow
def test_unicorn_and_qemu_count_the_same_instructions(shared: Path, tmp_path: Path) -> None:
    emitted = _built(shared, "mlperftiny__ad01_int8", CORTEX_M7, tmp_path)
    samples = _samples(emitted, 1)
    counted = count(emitted.firmware, firmware_inputs(emitted, samples)[0], tmp_path)
    emulated = _exact_run(emitted, samples, tmp_path)
    np.testing.assert_array_equal(counted.run.outputs, emulated.outputs)
    # a tick of QEMU's timer is 40 instructions, and it is read at blocks' borders
    assert abs(counted.total - emulated.instructions[0]) <= 120
    assert counted.total == counted.scheduler + sum(counted.operators.values())
    assert sum(counted.functions.values()) == counted.total
    assert sorted(counted.operators) == list(range(len(emitted.plan.graph.operators)))
    assert (
        counted.operators[0] > 80_000
    )  # 81,920 products at less than two instructions each, and more than one


# --- the instruments themselves, on programs whose answers are known ------------------------------------


def _program(folder: Path, body: str) -> Firmware:
    """A model of one input and one output byte, whose C is `body`."""
    source = folder / "net.c"
    folder.mkdir(exist_ok=True)
    (folder / "net.h").write_text(
        "#include <stdint.h>\nint8_t *net_input(unsigned i);\nconst int8_t *net_output(unsigned i);\n"
        "void net_invoke(void);\n"
    )
    ends = "int8_t *net_input(unsigned i) { return bytes + i; }\n"
    ends += "const int8_t *net_output(unsigned i) { return bytes + 1 + i; }\n"
    source.write_text(f'#include "net.h"\nstatic int8_t bytes[2];\n{ends}{body}\n')
    return build([source], [], Interface("net", (1,), (1,)), CORTEX_M7, folder / "built")


def test_a_program_that_faults_is_an_error(tmp_path: Path) -> None:
    firmware = _program(tmp_path, "void net_invoke(void) { __builtin_trap(); }")
    with pytest.raises(RuntimeError, match="status"):
        run_in_qemu(firmware, np.zeros((1, 1), np.int8), tmp_path)


def test_every_inference_is_run_and_its_stack_seen(tmp_path: Path) -> None:
    firmware = _program(
        tmp_path,
        "static void __attribute__((noinline)) touch(volatile char *to)"
        "{ for (int i = 0; i < 600; i++) to[i] = 1; }\n"
        "void net_invoke(void) { char room[600]; touch(room); bytes[1] = (int8_t)(bytes[0] + room[3]); }",
    )
    run = run_in_qemu(firmware, np.array([[1], [5], [-7]], np.int8), tmp_path)
    assert run.outputs.tolist() == [[2], [6], [-6]]
    assert all(600 <= stack <= stack_bound(firmware, "run_model", ()).bytes <= 700 for stack in run.stack)


def test_a_call_through_a_pointer_takes_the_deepest_kernel(tmp_path: Path) -> None:
    kernel = (
        "void __attribute__((noinline)) {}(void) {{ volatile char room[{}]; room[0] = 1; (void)room[0]; }}\n"
    )
    pointers = "void (*volatile chosen)(void) = small;\nvoid (*volatile other)(void) = large;\n"
    invoke = "void net_invoke(void) { chosen(); bytes[1] = 1; }"
    firmware = _program(
        tmp_path, kernel.format("large", 400) + kernel.format("small", 100) + pointers + invoke
    )
    one, both = (stack_bound(firmware, "run_model", kernels) for kernels in (["small"], ["small", "large"]))
    assert 100 <= one.bytes < 400 <= both.bytes
    assert both.path[-1] == "large" and one.path[-1] == "small"


def test_recursion_has_no_stack_bound(tmp_path: Path) -> None:
    body = "int __attribute__((noinline, optimize(0))) down(int n) { return n ? 1 + down(n - 1) : 0; }\n"
    firmware = _program(tmp_path, body + "void net_invoke(void) { bytes[1] = (int8_t)down(bytes[0]); }")
    with pytest.raises(ValueError, match="down -> down"):
        stack_bound(firmware, "run_model", ())


def test_inputs_of_another_size_are_refused(tmp_path: Path) -> None:
    firmware = _program(tmp_path, "void net_invoke(void) { bytes[1] = 3; }")
    with pytest.raises(ValueError, match="inputs"):
        run_in_qemu(firmware, np.zeros((1, 2), np.int8), tmp_path)
    assert run_in_qemu(firmware, np.zeros((0, 1), np.int8), tmp_path).outputs.shape == (0, 1)
