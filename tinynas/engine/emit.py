"""From a plan to C: constants and tables of one network, beside the engine that runs them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tinynas import __version__
from tinynas.engine.c_text import c_array, c_float, c_steps, check_name, harmless
from tinynas.engine.plan import Plan
from tinynas.engine.sources import sources_for
from tinynas.engine.streaming import MOST_OPERATORS
from tinynas.engine.tables import End, FlashBytes, Tables, common_type
from tinynas.errors import ModelError
from tinynas.graph import Graph

if TYPE_CHECKING:
    from jinja2 import Environment

#: the folder of a library's sources
SOURCES = "src"
#: the keyword in library.json that tells a folder of ours
GENERATOR = "tinynas"


@dataclass(frozen=True)
class Emission:
    """A compiled network: text by path inside the library's folder, and what it takes."""

    files: dict[str, str]
    arena: int
    flash: FlashBytes


def emit(plan: Plan, name: str, folder: Path) -> Emission:
    """Write `render(plan, name)` into `folder`, which is made where it is absent.

    Raises:
        ModelError, RequestError: as `render`.
        OSError: the disk does not take it.
    """
    emission = render(plan, name)
    for path, text in emission.files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    return emission


def render(plan: Plan, name: str) -> Emission:
    """The C library of `plan`: `name`.h and .c, the engine's sources, and PlatformIO's library.json.

    `name` is the prefix of the public functions; `identifier` makes one of any text.

    Raises:
        ModelError: an operator cannot be packed, or the network exceeds what the engine's tables can number.
        RequestError: `name` is no C identifier, or one of the engine's or the C library's files.
    """
    check_name(name)
    graph = plan.graph
    if len(graph.operators) > MOST_OPERATORS:
        raise ModelError(
            f"{graph.name} has {len(graph.operators)} operators after simplification and the engine runs at "
            f"most {MOST_OPERATORS}: use a shallower network"
        )
    parts = Tables(plan)
    inputs, outputs = ([End.of(plan, i) for i in ends] for ends in (graph.inputs, graph.outputs))
    facts = {
        "name": name,
        "macro": name.upper(),
        "version": __version__,
        "origin": harmless(graph.name),
        "arena": plan.arena,
        "inputs": inputs,
        "outputs": outputs,
        "input_type": common_type(inputs),
        "output_type": common_type(outputs),
        "paddings": parts.paddings,
        "operators": parts.operators,
        "maps": parts.maps,
        "steps": plan.steps,
    }
    templates = environment()
    files = {
        "library.json": _library(name, graph),
        f"{SOURCES}/{name}.h": templates.get_template("model.h.j2").render(facts),
        f"{SOURCES}/{name}.c": templates.get_template("model.c.j2").render(facts),
    }
    files |= {f"{SOURCES}/{file}": text for file, text in sources_for(plan.kernels).items()}
    return Emission(files, plan.arena, parts.flash(len(plan.steps)))


def _library(name: str, graph: Graph) -> str:
    """PlatformIO's manifest."""
    manifest = {
        "$schema": "https://raw.githubusercontent.com/platformio/platformio-core/develop/"
        "platformio/assets/schema/library.json",
        "name": name,
        "version": __version__,
        "description": f"{harmless(graph.name)}: an int8 network and its engine, compiled by tinynas",
        "keywords": [GENERATOR, "neural network", "tinyml"],
        "headers": f"{name}.h",
        "frameworks": "*",
        "platforms": "*",
        "build": {"srcDir": SOURCES, "flags": ["-O2"]},
    }
    return json.dumps(manifest, indent=2) + "\n"


@cache
def environment() -> Environment:
    """The templates, with what they need to write C."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("tinynas.engine"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    made.filters |= {"c_array": c_array, "c_float": c_float, "c_steps": c_steps}
    return made
