"""An option for every number of `Effort`, made from its fields so that the two cannot drift apart."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

import typer

from tinynas.pipeline.effort import SHARED_WEIGHTS, SHORT_TRAINING, Effort

PANEL = (
    f"Effort (in brackets: {', '.join(SHARED_WEIGHTS.efforts)}; after a stroke for families scored by "
    f"{SHORT_TRAINING.scoring}: all but mobile)"
)

#: what each number means; its presets are added behind
HELP = {
    "samples": "Networks drawn from each design space in stage 1.",
    "largest_epochs": "Epochs of the largest network alone.",
    "supernet_epochs": "Epochs of the sub-networks together.",
    "trial_epochs": "Epochs of a network that is scored by short training.",
    "rungs": "Times it is scored on the way: the better half goes on, each time twice as far.",
    "finetune_epochs": "Epochs of the winner.",
    "max_steps": "Most steps of each training; 0: no limit.",
    "batch_size": "Pictures a training step.",
    "subnets_per_batch": "Sub-networks trained on each batch.",
    "largest_rate": "Learning rate of the largest network.",
    "supernet_rate": "Learning rate of the sub-networks.",
    "trial_rate": "Learning rate of a short training.",
    "finetune_rate": "Learning rate of the winner.",
    "population": "Networks evolution begins with.",
    "iterations": "Generations after the first.",
    "parents": "Best networks that have children, in evolution.",
    "crossover": "Children of two parents a generation.",
    "mutation": "Children of one parent a generation.",
    "mutation_probability": "Chance of each gene to mutate, in evolution, regularised and nsga2.",
    "calibration_batches": "Batches that reset batch-norm statistics.",
    "calibration_batch_size": "Pictures in each of those.",
    "held_out": "Share of the training pictures kept for scoring.",
    "held_out_most": "Most pictures kept for scoring.",
}


def with_effort_options(command: Callable[..., None], *, idle: Collection[str] = ()) -> Callable[..., None]:
    """`command`, whose last parameter is ``**numbers``, with an option a field of `Effort` in its place.

    But for `idle` fields, which it has no use for. An option that is not given arrives as None.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = [*own, *_parameters(idle)]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        command(**values)

    # typer reads both
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return wrapper


def _parameters(idle: Collection[str]) -> list[inspect.Parameter]:
    kinds = get_type_hints(Effort)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kinds[field.name] | None, _option(field.name)],
        )
        for field in fields(Effort)
        if field.name not in idle
    ]


def _option(name: str) -> Any:
    known = [presets for presets in (SHARED_WEIGHTS, SHORT_TRAINING) if name not in presets.foreign]
    texts = [", ".join(f"{getattr(e, name):g}" for e in presets.efforts.values()) for presets in known]
    return typer.Option(
        f"--{name.replace('_', '-')}",
        # an opening bracket would be markup
        help=f"{HELP[name]} \\[{' / '.join(dict.fromkeys(texts))}]",
        rich_help_panel=PANEL,
        show_default=False,
    )
