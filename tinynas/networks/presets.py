"""Published networks by name, as genotypes with 1000 classes.

MCUNet's five are from the released ImageNet models (arXiv 2007.10319), MnasNet's two from arXiv
1807.11626 at resolution 224, MobileNetV2 at width 0.35 from arXiv 1801.04381, RegNets from pycls's model zoo.
"""

from __future__ import annotations

import difflib
import re
from types import MappingProxyType

from tinynas.errors import RequestError
from tinynas.networks.blocks import Block, Conv, MBConv
from tinynas.networks.genotype import Genotype, parse_genotype
from tinynas.networks.regnet import SE_RATIO, RegNetParameters, published_regnet

_MNASNET_B1 = (
    "conv_k3_s2_c32 ds_k3_s1_c16 ir_r3_k3_s2_e3_c24 ir_r3_k5_s2_e3_c40 ir_r3_k5_s2_e6_c80 "
    "ir_r2_k3_s1_e6_c96 ir_r4_k5_s2_e6_c192 ir_r1_k3_s1_e6_c320 conv_k1_s1_c1280"
)
_MNASNET_A1 = (
    "conv_k3_s2_c32 ds_k3_s1_c16 ir_r2_k3_s2_e6_c24 ir_r3_k5_s2_e3_c40_se0.25 ir_r4_k3_s2_e6_c80 "
    "ir_r2_k3_s1_e6_c112_se0.25 ir_r3_k5_s2_e6_c160_se0.25 ir_r1_k3_s1_e6_c320 conv_k1_s1_c1280"
)
_MOBILENETV2_035 = (
    "conv_k3_s2_c16 ds_k3_s1_c8 ir_r2_k3_s2_e6_c8 ir_r3_k3_s2_e6_c16 ir_r4_k3_s2_e6_c24 "
    "ir_r3_k3_s1_e6_c32 ir_r3_k3_s2_e6_c56 ir_r1_k3_s1_e6_c112 conv_k1_s1_c1280"
)


def _mcunet(resolution: int, stem: int, rows: str) -> Genotype:
    """MCUNet's released tables: (expand, out, stride, kernel) a block; the first block has no residual."""
    blocks: list[Block] = [Conv(3, 2, stem)]
    for number, row in enumerate(re.findall(r"\((\d+),(\d+),(\d+),(\d+)\)", rows)):
        expand, out, stride, kernel = map(int, row)
        blocks.append(MBConv(kernel, stride, out, expand, skip=number > 0))
    return Genotype(resolution, 3, tuple(blocks), 1000)


def _preset(text: str, resolution: int = 224) -> Genotype:
    return parse_genotype(f"r{resolution}x3 {text} fc_c1000")


#: every published network that has a name here
PRESETS = MappingProxyType(
    {
        "mcunet-in0": _mcunet(
            48,
            24,
            "(1,16,1,3)(4,16,2,5)(3,16,1,3)(4,16,1,3)(5,24,2,7)(4,24,1,5)(5,24,1,5)(5,48,2,7)(4,48,1,5)"
            "(5,56,1,3)(4,56,1,5)(5,56,1,3)(6,112,2,3)(4,112,1,5)(6,192,1,3)",
        ),
        "mcunet-in1": _mcunet(
            96,
            16,
            "(1,8,1,3)(4,16,2,3)(3,16,1,3)(3,24,2,7)(5,24,1,3)(5,40,2,3)(4,40,1,7)(4,48,1,5)(3,48,1,3)"
            "(4,48,1,3)(5,96,2,7)(4,96,1,5)(4,96,1,5)(6,160,1,3)",
        ),
        "mcunet-in2": _mcunet(
            160,
            16,
            "(1,8,1,3)(3,16,2,5)(6,16,1,7)(5,16,1,3)(5,16,1,5)(5,24,2,3)(6,24,1,7)(6,24,1,5)(4,40,2,7)"
            "(5,40,1,5)(5,48,1,3)(5,48,1,5)(4,48,1,3)(6,96,2,5)(4,96,1,5)(3,96,1,5)(4,96,1,3)(5,160,1,5)",
        ),
        "mcunet-in3": _mcunet(
            176,
            16,
            "(1,8,1,3)(3,16,2,7)(5,16,1,3)(5,16,1,7)(4,16,1,5)(5,24,2,5)(5,24,1,5)(5,24,1,5)(5,40,2,3)"
            "(6,40,1,7)(4,40,1,5)(5,48,1,5)(5,48,1,7)(5,48,1,3)(6,96,2,3)(5,96,1,7)(4,96,1,3)(5,160,1,7)",
        ),
        "mcunet-in4": _mcunet(
            160,
            32,
            "(1,16,1,3)(3,24,2,7)(5,24,1,3)(4,24,1,5)(5,40,2,7)(4,40,1,3)(4,40,1,7)(3,80,2,7)(3,80,1,3)"
            "(3,80,1,7)(4,96,1,3)(3,96,1,5)(3,96,1,5)(4,192,2,7)(3,192,1,7)(3,192,1,5)(4,320,1,5)",
        ),
        "mnasnet-a1": _preset(_MNASNET_A1),
        "mnasnet-b1": _preset(_MNASNET_B1),
        "mobilenetv2-0.35": _preset(_MOBILENETV2_035),
        "regnetx-200mf": published_regnet(RegNetParameters(13, 24, 36.44, 2.49, 1, 8)),
        "regnetx-400mf": published_regnet(RegNetParameters(22, 24, 24.48, 2.54, 1, 16)),
        "regnetx-600mf": published_regnet(RegNetParameters(16, 48, 36.97, 2.24, 1, 24)),
        "regnety-200mf": published_regnet(RegNetParameters(13, 24, 36.44, 2.49, 1, 8), SE_RATIO),
        "regnety-400mf": published_regnet(RegNetParameters(16, 48, 27.89, 2.09, 1, 8), SE_RATIO),
    }
)


def find_network(name_or_genotype: str) -> Genotype:
    """The preset of that name, or the genotype written in the block language.

    Raises:
        RequestError: neither; the nearest preset is suggested.
    """
    if name_or_genotype in PRESETS:
        return PRESETS[name_or_genotype]
    if " " in name_or_genotype.strip():
        return parse_genotype(name_or_genotype)
    near = difflib.get_close_matches(name_or_genotype, PRESETS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the names are {', '.join(PRESETS)}"
    raise RequestError(f"'{name_or_genotype}' is not a network: {hint}")
