"""A whole study: spaces by name, pictures, the trainer that workers get, and the folder it goes on in."""

from __future__ import annotations

import os
import time
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tinynas.cost import find_runtime
from tinynas.data import Dataset, Split, describe, fingerprint, hold_out, load_dataset, resize
from tinynas.data.augment import Augmentation
from tinynas.errors import DataError
from tinynas.networks import parse_genotype
from tinynas.pipeline.observer import Observer, Silent
from tinynas.pipeline.study_request import StudyRequest
from tinynas.search.limits import Limits
from tinynas.search.run_folder import STUDIED, open_run
from tinynas.spaces.families import find_space
from tinynas.spaces.pictures import Pictures
from tinynas.study.executors import Executor
from tinynas.study.folder import Study, is_study, keep_networks
from tinynas.study.record import Outcome, Record, Sampled
from tinynas.study.runner import continue_study
from tinynas.study.sampling import sample_networks

#: pictures held out unless told otherwise: a fifth, but no more than these
_MOST_HELD_OUT = 2000


@dataclass(frozen=True)
class StudyTrainer:
    """Trains networks of a study in whatever process it is sent to: a function of network and seed alone."""

    train: Split
    held_out: Split
    augmentation: Augmentation
    request: StudyRequest

    def __call__(self, network: Sampled) -> Outcome:
        """Train from scratch and score on the held-out pictures."""
        _prepare(self.request.backend, self.request.threads)
        from tinynas.supernet.alone import NetworkTrainer, Recipe, forget_networks
        from tinynas.supernet.training import Diverged

        request, began = self.request, time.perf_counter()
        recipe = Recipe(request.epochs, request.batch_size, request.rate)
        source = (request.seed, zlib.crc32(network.space.encode()), network.index)
        seed = int(np.random.SeedSequence(source).generate_state(1)[0])
        trainer = NetworkTrainer(
            parse_genotype(network.genotype), self.train, recipe, seed=seed, augmentation=self.augmentation
        )
        try:
            trainer.train_to()
            outcome = (1.0 - trainer.accuracy(self.held_out), False)
        except Diverged:
            outcome = (1.0, True)
        finally:
            forget_networks()
        return Outcome(outcome[0], round(time.perf_counter() - began, 3), outcome[1])


def run_study(
    request: StudyRequest, path: Path, executor: Executor, observer: Observer | None = None
) -> Study:
    """The study that `request` asks for in the folder `path`, from wherever it stands.

    Raises:
        TinynasError: the request cannot be met, data or folder are unfit, or workers died again and again.
    """
    watch = observer or Silent()
    data = load_dataset(request.data, request.data_dir, seed=request.seed)
    watch.note(describe(data))
    trainer = _trainer(request, data)
    watch.note(f"{len(trainer.train):,} pictures to train on, {len(trainer.held_out):,} to score with")
    networks = [] if is_study(path) else _sample(request, data, watch)
    best: dict[str, float] = {}

    def on_record(record: Record, done: int, total: int) -> None:
        space, error = record.network.space, record.outcome.error
        best[space] = min(error, best.get(space, 1.0))
        texts = [f"{name} {least:.1%}" for name, least in sorted(best.items())]
        watch.advance(done, f"least error {', '.join(texts)}")

    with open_run(path, request.to_dict() | {"data_fingerprint": fingerprint(data)}) as run:
        if not run.has(STUDIED):
            keep_networks(run, networks)
        watch.begin("training", request.networks * len(request.spaces))
        study = continue_study(run, trainer, executor, on_record)
        watch.end()
    return study


def _sample(request: StudyRequest, data: Dataset, watch: Observer) -> list[Sampled]:
    """The networks of every space."""
    limits = Limits(runtime=find_runtime(request.runtime), board=request.board, budget=request.budget)
    pictures = Pictures(data.native_resolution, data.channels, len(data.classes))
    spaces = {name: find_space(name, pictures, _resolution(request, data)) for name in request.spaces}
    watch.begin("sampling", len(spaces))
    networks = []
    for done, (name, space) in enumerate(spaces.items(), start=1):
        networks += sample_networks(name, space, limits, request.networks, request.seed, request.complexity)
        watch.advance(done, f"{request.networks} of {name}")
    watch.end()
    return networks


def _trainer(request: StudyRequest, data: Dataset) -> StudyTrainer:
    """Pictures parted by class: some to score with, of the rest as many to train on as asked for."""
    total = len(data.train)
    held_out = request.held_out or min(_MOST_HELD_OUT, total // 5)
    if held_out + request.pictures > total or held_out == total:
        raise DataError(
            f"{data.name} has {total:,} training pictures, too few for {request.pictures:,} of --pictures "
            f"and {held_out:,} of --held-out: ask for fewer"
        )
    rest, held = hold_out(data.train, held_out / total, request.seed)
    if 0 < request.pictures < len(rest):
        _, rest = hold_out(rest, request.pictures / len(rest), request.seed + 1)
    # every network is of one resolution, so what it is scored on is resized once
    scored = Split(resize(held.images, _resolution(request, data)), held.labels)
    return StudyTrainer(rest, scored, data.augmentation, request)


def _resolution(request: StudyRequest, data: Dataset) -> int:
    return request.resolution or data.native_resolution


@cache
def _prepare(backend: str, threads: int) -> None:
    """The first network of a process decides how it trains."""
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tinynas.supernet.threads import use_threads

    use_threads(threads)
