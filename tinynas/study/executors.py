"""Who trains the networks of a study: processes of this machine, or a Ray cluster.

One interface, equal results: `work` is sent to each worker once, items one by one; results come back as
they are ready. Whoever is killed loses the item at hand only, which is then done again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar

from tinynas.errors import RequestError, RunError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: seconds a cluster has to accept a connection
_PATIENCE = 10.0
#: times in a row that workers may die before the study is given up
MOST_DEATHS = 3
#: items a worker does before a fresh process takes its place: oneDNN, inside TensorFlow, keeps what it
#: compiled for each new shape of convolution, 1 to 2 MB a network at first, until the process ends
MOST_ITEMS = 40


class Executor(Protocol):
    """Does work on many items."""

    def run(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Generator[_Result, None, None]:
        """What `work` makes of each of `items`, in the order of completion; once closed, workers are let go.

        `work`, the items and the results must pickle, and nothing but an item may decide its result.

        Raises:
            RunError: workers died again and again, or cannot be had.
        """


class ProcessExecutor:
    """`workers` processes of this machine, each replaced after about `most_items`.

    They end with this process, however it ends, and leave Ctrl-C to it.
    """

    def __init__(self, workers: int, most_items: int = MOST_ITEMS) -> None:
        if workers < 1:
            raise RequestError(f"--workers is {workers}: it must be at least 1")
        self._workers, self._most_items = workers, most_items

    def run(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Generator[_Result, None, None]:
        """See `Executor`. A killed worker takes the others' items with it; all those are done again."""
        waiting = dict(enumerate(items))
        deaths = 0
        while waiting:
            try:
                some = dict(islice(waiting.items(), self._workers * self._most_items))
                for number, result in self._round(work, some):
                    del waiting[number]
                    deaths = 0
                    yield result
            except BrokenProcessPool as error:
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise RunError(
                        f"workers were killed {deaths} times in a row, most likely for want of memory: "
                        "close other programs or use fewer --workers, then run the same command again"
                    ) from error

    def _round(
        self, work: Callable[[_Item], _Result], waiting: dict[int, _Item]
    ) -> Generator[tuple[int, _Result], None, None]:
        """Results until all are there or a worker dies."""
        context = multiprocessing.get_context("spawn")
        theirs, ours = context.Pipe(duplex=False)
        pool = ProcessPoolExecutor(
            min(self._workers, len(waiting)), context, initializer=_begin, initargs=(work, theirs)
        )
        broken: BrokenProcessPool | None = None
        try:
            futures = {pool.submit(_perform, item): number for number, item in waiting.items()}
            for future in as_completed(futures):
                try:
                    result = future.result()
                except BrokenProcessPool as error:
                    broken = error
                    continue
                yield futures[future], result
            pool.shutdown()
        finally:
            # whoever is still at work sees the line close and ends
            ours.close()
            theirs.close()
            pool.shutdown(wait=False, cancel_futures=True)
        if broken is not None:
            raise broken


class RayExecutor:
    """A Ray cluster: its `address`, or ``local`` for one of `workers` processors on this machine."""

    def __init__(self, address: str, *, workers: int, cores_each: int = 1) -> None:
        self._address, self._workers, self._cores = address, workers, cores_each
        self._ray = _import_ray()

    def run(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Generator[_Result, None, None]:
        """See `Executor`. Ray itself starts the item of a killed worker again."""
        ray = self._ray
        self._connect()
        try:
            shared = ray.put(work)
            perform = ray.remote(num_cpus=self._cores, max_retries=MOST_DEATHS, max_calls=MOST_ITEMS)(_apply)
            waiting = [perform.remote(shared, item) for item in items]
            while waiting:
                done, waiting = ray.wait(waiting, num_returns=1)
                yield ray.get(done[0])
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, Exception) and not isinstance(cause, ray.exceptions.RayError):
                raise cause from None
            raise RunError(
                f"the Ray cluster '{self._address}' failed ({_first_line(cause or error)}): mend it and run "
                "the same command again; nothing finished so far is lost"
            ) from error
        finally:
            ray.shutdown()

    def _connect(self) -> None:
        local = self._address == "local"
        options: dict[str, Any] = (
            {"num_cpus": self._workers * self._cores, "include_dashboard": False} if local else {}
        )
        try:
            _require_listener(self._address)
            self._ray.init(self._address, log_to_driver=False, logging_level="ERROR", **options)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise RunError(
                f"there is no Ray cluster at '{self._address}' ({_first_line(error)}): start one with "
                "`ray start --head`, or write --ray local"
            ) from error


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise RequestError("--ray needs Ray: pip install 'tinynas[ray]'") from error
    return ray


def _require_listener(address: str) -> None:
    """Raises OSError where nobody listens at host:port: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), _PATIENCE).close()


def _apply(work: Callable[[_Item], _Result], item: _Item) -> _Result:
    return work(item)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


#: what this worker process does
_work: Callable[[Any], Any] | None = None


def _begin(work: Callable[[Any], Any], parent: Connection) -> None:
    """Start of a worker: keep `work`, and end as soon as the other end of `parent` is closed."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    wait([parent])
    os._exit(0)


def _perform(item: Any) -> Any:
    assert _work is not None
    return _work(item)
