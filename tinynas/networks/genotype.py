"""The block language: a whole network as one printable, diffable, hashable line.

Grammar (fields in any order when read, in this order when printed; blocks separated by spaces)::

    network := input block* head
    input   := "r" RES "x" CHANNELS                 rows = columns, channels of the picture: r144x3
    block   := conv | ir | x
    conv    := "conv_k" K "_s" S "_c" C ["_relu"]   k x k convolution, BN, ReLU6 (or ReLU)
    ir      := "ir_k" K "_s" S "_e" E "_c" C ["_se" R] ["_noskip"]
                                                    inverted bottleneck (MobileNetV2, fig. 4): 1x1 expand by E
                                                    (left out for E = 1), k x k depthwise, 1x1 project, ReLU6;
                                                    residual where stride is 1 and widths are equal
    x       := "x_k" K "_s" S "_c" C "_b" B "_g" G ["_se" R]
                                                    block of RegNet: 1x1 to C / B, k x k in groups of G
                                                    channels, 1x1 to C, ReLU; residual, through a 1x1
                                                    projection where stride or width change
    se      := squeeze-and-excitation of R x the block's input width
    head    := "fc_c" CLASSES                       global average pooling and classifier

When read, ``_rN`` repeats a block N times (the stride belongs to the first), and ``ds`` is ``ir`` with E = 1.
A genotype's text is its identity: cache key, log line and test id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tinynas.errors import RequestError
from tinynas.networks.blocks import Block, Conv, MBConv, XBlock

_FIELD = re.compile(r"(se|[ksecrbg])(\d+(?:\.\d+)?|\.\d+)")
_FLAGS = ("noskip", "relu")
_INPUT = re.compile(r"r(\d+)x(\d+)")
_HEAD = re.compile(r"fc_c(\d+)")


@dataclass(frozen=True, slots=True)
class Genotype:
    """A network: square input of `resolution` pixels and `in_channels`, blocks, `classes` logits."""

    resolution: int
    in_channels: int
    blocks: tuple[Block, ...]
    classes: int

    def __str__(self) -> str:
        parts = [f"r{self.resolution}x{self.in_channels}", *map(str, self.blocks), f"fc_c{self.classes}"]
        return " ".join(parts)


def parse_genotype(text: str) -> Genotype:
    """The genotype that `text` prints; inverse of ``str``.

    Raises:
        RequestError: the text is not in the block language; the message names the word.
    """
    words = text.split()
    if len(words) < 2:
        raise RequestError(
            f"'{text}' is not a network: write input, blocks and head, such as 'r48x3 conv_k3_s2_c16 fc_c10'"
        )
    first, last = _INPUT.fullmatch(words[0]), _HEAD.fullmatch(words[-1])
    if first is None:
        raise RequestError(f"'{words[0]}' must be the input of the network, such as r144x3")
    if last is None:
        raise RequestError(f"'{words[-1]}' must be the head of the network, such as fc_c10")
    blocks = tuple(block for word in words[1:-1] for block in _parse_blocks(word))
    resolution, channels = map(int, first.groups())
    if min(resolution, channels, int(last[1])) < 1:
        raise RequestError(f"'{text}' has a size of zero")
    return Genotype(resolution, channels, blocks, int(last[1]))


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of a word: whole numbers by letter, the squeeze ratio, the flags."""

    whole: Mapping[str, int]
    se: float
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of block is written: the fields it needs and may have beside stride and repetition."""

    required: frozenset[str]
    optional: frozenset[str]
    example: str
    make: Callable[[_Fields], Block]


_KINDS: Mapping[str, _Kind] = {
    "conv": _Kind(
        frozenset("kc"),
        frozenset({"relu"}),
        "conv_k3_s2_c16",
        lambda f: Conv(f.whole["k"], f.whole["s"], f.whole["c"], "relu" not in f.flags),
    ),
    "ds": _Kind(
        frozenset("kc"),
        frozenset({"se", "noskip"}),
        "ds_k3_s1_c16",
        lambda f: MBConv(f.whole["k"], f.whole["s"], f.whole["c"], 1, f.se, "noskip" not in f.flags),
    ),
    "ir": _Kind(
        frozenset("kec"),
        frozenset({"se", "noskip"}),
        "ir_k3_s1_e4_c24",
        lambda f: MBConv(
            f.whole["k"], f.whole["s"], f.whole["c"], f.whole["e"], f.se, "noskip" not in f.flags
        ),
    ),
    "x": _Kind(
        frozenset("kcbg"),
        frozenset({"se"}),
        "x_k3_s1_c24_b1_g8",
        lambda f: XBlock(f.whole["k"], f.whole["s"], f.whole["c"], f.whole["b"], f.whole["g"], f.se),
    ),
}


def _parse_blocks(word: str) -> tuple[Block, ...]:
    name, *texts = word.split("_")
    numbers: dict[str, float] = {}
    flags: set[str] = set()
    for text in texts:
        match = _FIELD.fullmatch(text)
        if (match is None and text not in _FLAGS) or (match[1] if match else text) in numbers.keys() | flags:
            raise RequestError(
                f"'{text}' in '{word}' is not understood: see the block language, ir_k5_s2_e4_c24"
            )
        if match:
            numbers[match[1]] = float(match[2])
        else:
            flags.add(text)
    kind = _KINDS.get(name)
    if kind is None:
        raise RequestError(f"'{name}' in '{word}' is not a block: use {', '.join(_KINDS)}")
    if missing := kind.required - numbers.keys():
        raise RequestError(f"'{word}' lacks {', '.join(sorted(missing))}: write {kind.example}")
    if extra := (numbers.keys() | flags) - kind.required - kind.optional - {"s", "r"}:
        raise RequestError(f"'{word}': {name} takes no such field as {min(extra)}; write {kind.example}")
    whole = {key: int(value) for key, value in numbers.items() if key != "se"}
    if any(value < 1 or value != numbers[key] for key, value in whole.items()):
        raise RequestError(f"'{word}' must have whole numbers of at least 1 in every field but se")
    block = kind.make(_Fields({"s": 1} | whole, numbers.get("se", 0.0), frozenset(flags)))
    return (block, *(replace(block, stride=1),) * (whole.get("r", 1) - 1))
