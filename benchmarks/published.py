"""What the best existing systems were measured or published to need, for benchmarks to stand beside.

Sources (../shared/reference/peers.md): TFLM + CMSIS-NN and TinyEngine@47bb283 built with gcc 12.2 and counted
on an emulated Cortex-M7, 2026-11-22; kilobytes of TinyEngine and X-CUBE-AI 7.3 on an STM32H743 from
TinyEngine's README.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Peer:
    """Instructions of one inference, bytes of arena and of code; None where nobody measured."""

    instructions: int | None = None
    arena: int | None = None
    code: int | None = None


#: TFLM with CMSIS-NN, only the model's int8 operators registered; the arena has TFLM's own structures in it
TFLM_CMSIS_NN = MappingProxyType(
    {
        "mlperftiny__vww_96_int8": Peer(24_025_589, 100_708, 54_412),
        "mlperftiny__pretrainedResnet_quant": Peer(29_937_811, 54_996, 52_580),
        "mlperftiny__kws_ref_model": Peer(7_645_710, 22_820, 54_416),
        "mlperftiny__ad01_int8": Peer(582_620, 2_580, 28_700),
        "mlperftiny__str_ww_ref_model": Peer(2_187_228, 16_596, 58_160),
        "tinyengine__vww": Peer(47_796_225, 219_808, 59_020),
        "tinyengine__detection": Peer(75_823_262, 379_968, 59_952),
    }
)

#: TinyEngine with fixed-point requantisation, the exact one; its float one is up to 16 LSB off
TINYENGINE_FIXED = MappingProxyType({"tinyengine__vww": Peer(42_689_652, 93_992)})
#: the same network in 2 x 2 patches, image included
TINYENGINE_PATCHES = MappingProxyType({"tinyengine__vww": Peer(44_800_000, 81_552)})


@dataclass(frozen=True, slots=True)
class Published:
    """SRAM in kB as TinyEngine's README prints it."""

    tflm: int | None
    x_cube_ai: int
    tinyengine: int


H743_SRAM_KB = MappingProxyType(
    {
        "tinyengine__vww": Published(220, 113, 92),
        "mcunet-in0": Published(161, 69, 49),
        "mcunet-in1": Published(219, 106, 96),
        "mcunet-in2": Published(469, 238, 215),
        "mcunet-in3": Published(493, 243, 260),
        "mcunet-in4": Published(None, 342, 416),
    }
)

#: Plumerai 2023.05 on the DISCO-F746NG, Cortex-M7 at 216 MHz: MLPerf Tiny's published latencies in ms
F746_MS = MappingProxyType(
    {
        "mlperftiny__vww_96_int8": 34.1,
        "mlperftiny__pretrainedResnet_quant": 62.9,
        "mlperftiny__kws_ref_model": 17.7,
        "mlperftiny__ad01_int8": 1.7,
    }
)
