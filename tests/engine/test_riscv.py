"""The engine on a bare RISC-V (rv32imc) under Unicorn: bytes, warnings, counted instructions.

apt-get install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf
pip install 'tinynas[virtual]'
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kernel_host import ENGINE, FLAGS, sources
from random_network import random_tflite
from small_models import small_models

from tinynas.engine.emit import SOURCES, emit
from tinynas.engine.goals import Aim, Goal
from tinynas.engine.planner import plan_network
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes
from tinynas.networks import build_graph, find_network
from tinynas.pipeline.compile_check import random_samples

pytest.importorskip("elftools", reason="pyelftools is not installed: pip install 'tinynas[virtual]'")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from cores.build import HARNESS_FLAGS, RV32IMC, compiler_missing
from cores.emitted import Emitted, build_emitted, differing_outputs, firmware_inputs
from cores.unicorn_process import Count, count, run_program, unicorn_missing
from counted_program import counted_program

pytestmark = pytest.mark.skipif(
    bool(compiler_missing(RV32IMC) or unicorn_missing()),
    reason=str(compiler_missing(RV32IMC) or unicorn_missing()),
)

GCC = RV32IMC.toolchain.gcc
DRIVER = str(Path(__file__).resolve().parent / "kernel_driver.c")
#: a squeeze-and-excitation, a residual, odd widths
NETWORK = "r17x3 conv_k3_s2_c7 ds_k3_s1_c8 ir_r2_k5_s2_e3_c12_se0.25 ir_r2_k7_s1_e4_c12 fc_c5"


def _counted(emitted: Emitted, folder: Path) -> Count:
    """One inference, which must give TFLM's bytes."""
    samples = random_samples(emitted.original, emitted.plan.graph, 1)
    counted = count(emitted.firmware, firmware_inputs(emitted, samples)[0], folder)
    assert differing_outputs(emitted, samples, counted.run.outputs) == 0
    counted.run.outputs[0, 0] ^= 1
    assert differing_outputs(emitted, samples, counted.run.outputs) == 1
    assert sum(counted.functions.values()) == counted.total
    assert counted.total == counted.scheduler + sum(counted.operators.values())
    assert sorted(counted.operators) == list(range(len(emitted.plan.graph.operators)))
    return counted


@pytest.mark.slow
def test_a_real_network_equals_tflm(shared: Path, tmp_path: Path) -> None:
    model = (shared / "models" / "mlperftiny__kws_ref_model.tflite").read_bytes()
    _counted(build_emitted(model, "kws", RV32IMC, tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("dsp", [False, True], ids=["portable kernels", "all kernels"])
def test_a_random_network_equals_tflm(tmp_path: Path, dsp: bool) -> None:
    """With kernels that are made for DSP instructions, too: they are right here, and do not pay."""
    model = random_tflite(build_graph(find_network(NETWORK)), 3)
    emitted = build_emitted(model, "random", RV32IMC, tmp_path, goal=Goal.SPEED, dsp=dsp)
    assert any("planes" in kernel for kernel in emitted.plan.kernels) == dsp
    _counted(emitted, tmp_path)


@pytest.mark.parametrize("optimisation", ["-O2", "-Os"])
def test_every_kernel_computes_what_it_does_on_this_machine(tmp_path: Path, optimisation: str) -> None:
    """All cases of the driver; those of this machine are compared with plain arithmetic elsewhere."""
    here, elf = tmp_path / "here", tmp_path / "driver.elf"
    subprocess.run(["gcc", "-std=c11", "-O1", f"-I{ENGINE}", DRIVER, *sources(), "-o", here], check=True)
    harness = [str(path) for path in RV32IMC.harness if path.name != "main.c"]
    settings = (*RV32IMC.linking, *HARNESS_FLAGS, optimisation, f"-I{ENGINE}")
    subprocess.run([GCC, *settings, *harness, DRIVER, *sources(), "-o", elf], check=True)
    expected = subprocess.run([here], check=True, capture_output=True, text=True).stdout
    assert expected.count("\n") > 500
    assert run_program(elf, tmp_path) == expected


@pytest.mark.parametrize("dsp", [False, True], ids=["portable kernels", "all kernels"])
def test_the_engine_and_what_is_emitted_compile_without_a_warning(tmp_path: Path, dsp: bool) -> None:
    files = sources()
    for kind, model in small_models().items():
        name = f"model_{kind}"
        emit(plan_network(simplify(graph_from_bytes(model, name)), Aim(Goal.SPEED, dsp=dsp)), name, tmp_path)
        files.append(str(tmp_path / SOURCES / f"{name}.c"))
    # objects fall where gcc runs
    subprocess.run([GCC, *RV32IMC.flags, *FLAGS, f"-I{ENGINE}", "-c", *files], check=True, cwd=tmp_path)
    assert len(list(tmp_path.glob("*.o"))) == len(files)


#: of each round MUL takes four bytes, the two others two
LOOP = """
__attribute__((naked)) void net_invoke(void)
{
    __asm__("li t0, 1000; 1: mul t1, t0, t0; addi t0, t0, -1; bnez t0, 1b; ret");
}
"""


def test_instructions_of_two_and_of_four_bytes_are_counted(tmp_path: Path) -> None:
    assert counted_program(tmp_path, LOOP, RV32IMC).functions["net_invoke"] == 1 + 3 * 1000 + 1


def test_a_program_that_faults_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        counted_program(tmp_path, "void net_invoke(void) { __builtin_trap(); }", RV32IMC)
