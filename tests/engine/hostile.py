"""How a damaged or hostile .tflite file ends: in one clear error, or in a plan that is proven."""

from __future__ import annotations

from small_models import small_models

from tinynas.engine.checker import check_plan
from tinynas.engine.emit import render
from tinynas.engine.planner import plan_network
from tinynas.errors import ModelError
from tinynas.graph.passes import simplify
from tinynas.graph.tflite import graph_from_bytes

MODELS = small_models()
NAME = "hostile.tflite"
WORDS = (-(2**31), -129, -1, 0, 1, 2, 3, 127, 128, 255, 256, 65535, 65536, 2**24, 2**30, 2**31 - 1)


def compile_bytes(data: bytes) -> None:
    """As `tinynas compile` does, with the plan proven."""
    plan = plan_network(simplify(graph_from_bytes(data, NAME)))
    check_plan(plan)
    render(plan, "model")


def refusal(data: bytes) -> str:
    """The error that `data` ends in, one printable sentence that names the file; empty where accepted."""
    try:
        compile_bytes(data)
    except ModelError as error:
        message = str(error)
        assert NAME in message and message.isprintable() and 20 < len(message) < 600
        return message
    return ""
