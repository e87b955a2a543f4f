"""C as text: names, comments and numbers.

Whatever a file says of itself (names of tensors and of the model) is somebody else's text and reaches C only
inside comments, made harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import NDArray

from tinynas.engine.plan import Step
from tinynas.engine.sources import engine_files
from tinynas.errors import RequestError
from tinynas.graph import Graph, Operator, Padding

#: a model's header must not stand for one of the C library's
_STANDARD_HEADERS = (
    *("assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits", "locale"),
    *("math", "setjmp", "signal", "stdarg", "stdbool", "stddef", "stdint", "stdio", "stdlib", "string"),
    *("tgmath", "time", "wchar", "wctype"),
)
_LINE = 112


def identifier(text: str) -> str:
    """`text` as the prefix of C names: lower-case letters, digits and single underscores.

    Raises:
        RequestError: nothing of it is left.
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not name:
        raise RequestError(
            f"'{text}' has no letter or digit to name C functions by: choose another with --name"
        )
    return f"net_{name}" if name[0].isdigit() else name


def check_name(name: str) -> None:
    """Whether `name` can begin the names of a model's functions and files.

    Raises:
        RequestError: it cannot; the message has one that can.
    """
    if identifier(name) != name:
        raise RequestError(
            f"'{name}' cannot begin the names of C functions: use lower-case letters, digits and "
            f"underscores, such as {identifier(name)}"
        )
    if name in _STANDARD_HEADERS or {f"{name}.c", f"{name}.h"} & engine_files() or name.startswith("tn_"):
        raise RequestError(
            f"'{name}' is taken by a header or source of C or of the engine: choose another name"
        )


def harmless(text: str) -> str:
    """`text` as it may stand in a C comment: printable ASCII, no end of comment."""
    return re.sub(r"[^ -~]|[*\\]", "?", text)[:200]


def describe(graph: Graph, operator: Operator) -> str:
    """``CONV_2D 3x3 stride 2, RELU6: 96x96x3 -> 48x48x8``."""
    words = [operator.kind.value]
    if operator.window is not None:
        words.append("x".join(map(str, operator.window.kernel)))
        if operator.window.stride != (1, 1):
            words.append("stride " + " x ".join(map(str, dict.fromkeys(operator.window.stride))))
        if operator.window.padding is Padding.EXPLICIT:
            words.append("padded " + " ".join(map(str, operator.window.pads or ())))
    text = " ".join(words)
    if operator.activation.value != "NONE":
        text += f", {operator.activation.value}"
    sources = " + ".join(shape_text(graph.tensors[i].shape) for i in graph.activations_in(operator))
    return f"{text}: {sources} -> {shape_text(graph.tensors[operator.outputs[0]].shape)}"


def shape_text(shape: Sequence[int]) -> str:
    """The shape without its batch of one."""
    return "x".join(map(str, shape[1:] if len(shape) > 1 else shape)) or "1"


def c_array(values: NDArray[Any]) -> str:
    """The numbers of a C array, in lines."""
    return _lines(map(str, values.ravel().tolist()))


def c_float(value: float) -> str:
    """`value` as a C float of the same bits: nine digits tell any two single-precision numbers apart."""
    text = f"{value:.9g}"
    return f"{text}f" if set(text) & set(".en") else f"{text}.0f"


def c_steps(steps: Sequence[Step]) -> str:
    """The entries of the schedule, in lines."""
    return _lines(f"{{ {step.operator}, {step.count}, {step.first} }}" for step in steps)


def _lines(items: Iterable[str]) -> str:
    """The items with commas, as many a line as fit."""
    lines: list[str] = []
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > _LINE:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join([*lines, line])
