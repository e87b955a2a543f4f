"""The block language: a whole network as one printable, diffable, hashable line.

Grammar (fields in any order when read, in this order when printed; blocks separated by spaces)::

    network := input block* head
    input   := "r" RES "x" CHANNELS                 rows = columns, channels of the picture: r144x3
    block   := conv | ir
    conv    := "conv_k" K "_s" S "_c" C             k x k convolution, BN, ReLU6
    ir      := "ir_k" K "_s" S "_e" E "_c" C [opts] inverted bottleneck (MobileNetV2, fig. 4): 1x1 expand by E
                                                    (left out for E = 1), k x k depthwise, 1x1 project;
                                                    residual where stride is 1 and widths are equal
    opts    := ["_se" R] ["_noskip"]                squeeze-and-excitation of R x the block's input width;
                                                    no residual
    head    := "fc_c" CLASSES                       global average pooling and classifier

When read, ``_rN`` repeats a block N times (the stride belongs to the first), and ``ds`` is ``ir`` with E = 1.
A genotype's text is its identity: cache key, log line and test id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tinynas.errors import RequestError

_FIELD = re.compile(r"(se|k|s|e|c|r)(\d+(?:\.\d+)?)")
_INPUT = re.compile(r"r(\d+)x(\d+)")
_HEAD = re.compile(r"fc_c(\d+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `expand` is 0 for a plain convolution; `se` is the squeeze ratio, 0 for none."""

    kernel: int
    stride: int
    channels: int
    expand: int = 0
    se: float = 0.0
    skip: bool = True

    @property
    def is_conv(self) -> bool:
        """Whether this is a plain convolution rather than an inverted bottleneck."""
        return self.expand == 0

    def has_residual(self, in_channels: int) -> bool:
        """Whether the block's input is added to its output."""
        return not self.is_conv and self.skip and self.stride == 1 and in_channels == self.channels

    def __str__(self) -> str:
        if self.is_conv:
            return f"conv_k{self.kernel}_s{self.stride}_c{self.channels}"
        text = f"ir_k{self.kernel}_s{self.stride}_e{self.expand}_c{self.channels}"
        return text + (f"_se{self.se:g}" if self.se else "") + ("" if self.skip else "_noskip")


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


def _parse_blocks(word: str) -> tuple[Block, ...]:
    kind, *fields = word.split("_")
    values: dict[str, float] = {"s": 1, "r": 1}
    seen: set[str] = set()
    for item in fields:
        match = _FIELD.fullmatch(item)
        key = "noskip" if item == "noskip" else match[1] if match else ""
        if not key or key in seen:
            raise RequestError(
                f"'{item}' in '{word}' is not understood: see the block language, ir_k5_s2_e4_c24"
            )
        seen.add(key)
        if match:
            values[key] = float(match[2])
    required = {"conv": {"k", "c"}, "ds": {"k", "c"}, "ir": {"k", "e", "c"}}.get(kind)
    if required is None:
        raise RequestError(f"'{kind}' in '{word}' is not a block: use conv, ir or ds")
    if missing := required - seen:
        raise RequestError(f"'{word}' lacks {', '.join(sorted(missing))}: write {kind}_k3_s1_e4_c24")
    if (kind != "ir" and seen & {"e"}) or (kind == "conv" and seen & {"se", "noskip"}):
        raise RequestError(f"'{word}': {kind} takes no such field; use ir")
    whole = {key: int(value) for key, value in values.items() if key != "se"}
    if any(value < 1 or value != values[key] for key, value in whole.items()):
        raise RequestError(f"'{word}' must have whole numbers of at least 1 in every field but se")
    expand = {"conv": 0, "ds": 1}.get(kind, whole.get("e", 1))
    block = Block(whole["k"], whole["s"], whole["c"], expand, values.get("se", 0.0), "noskip" not in seen)
    return (block, *(replace(block, stride=1),) * (whole["r"] - 1))
