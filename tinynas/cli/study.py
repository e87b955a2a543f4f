"""``tinynas study``: design spaces compared by training a sample of each, and what the sample says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinynas.board import load_board, make_budget
from tinynas.cli.backend import choose_backend
from tinynas.cli.console import (
    DEFAULT_RUNTIME,
    DataDirOption,
    FlashOption,
    JsonOption,
    RuntimeOption,
    SeedOption,
    SramOption,
    board_line,
    budget_line,
    check_plot,
    make_table,
    output,
    percent,
    print_facts,
    print_json,
    print_table,
    remarks,
    say,
)
from tinynas.cli.idle_options import all_but, refuse_idle
from tinynas.cli.search_options import BackendOption, DataOption, StartBoardOption
from tinynas.errors import RequestError
from tinynas.units import format_count, format_seconds, parse_count

if TYPE_CHECKING:
    from rich.console import Console

    from tinynas.pipeline.study_request import StudyRequest
    from tinynas.study.analysis import Findings
    from tinynas.study.executors import Executor
    from tinynas.study.folder import Study


def study(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="A study to look at, finished or not; with --space: its place."
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            "--space", help="Spaces to compare: anynetx-a to anynetx-e, regnetx, regnety, mobile:w0.3."
        ),
    ] = None,
    board: StartBoardOption = None,
    sram: SramOption = None,
    flash: FlashOption = None,
    runtime: RuntimeOption = DEFAULT_RUNTIME,
    networks: Annotated[int, typer.Option("--networks", "-n", help="Networks of each space.")] = 50,
    macs: Annotated[
        str | None, typer.Option("--macs", help="Only networks of so many multiply-accumulates: 0.5m-2m.")
    ] = None,
    params: Annotated[
        str | None, typer.Option("--params", help="Only networks of at most so many parameters: 100k.")
    ] = None,
    activations: Annotated[
        str | None,
        typer.Option("--activations", help="Only networks whose convolutions write at most so many: 200k."),
    ] = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    resolution: Annotated[
        int | None, typer.Option("--resolution", min=4, help="Side of the pictures. Default: their own.")
    ] = None,
    epochs: Annotated[float, typer.Option("--epochs", help="Epochs each network is trained.")] = 2.0,
    pictures: Annotated[
        int, typer.Option("--pictures", help="Training pictures, of those not held out. 0: all.")
    ] = 0,
    held_out: Annotated[
        int, typer.Option("--held-out", help="Pictures held out to score with. 0: a fifth, at most 2,000.")
    ] = 0,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Pictures a training step.")] = 64,
    rate: Annotated[float, typer.Option("--rate", help="Peak learning rate.")] = 0.1,
    threads: Annotated[
        int, typer.Option("--threads", help="Processor threads of each training; part of the request.")
    ] = 1,
    workers: Annotated[int, typer.Option("--workers", help="Networks trained at a time.")] = 1,
    ray: Annotated[
        str | None,
        typer.Option("--ray", help="Train on a Ray cluster: its address, auto, or local for --workers here."),
    ] = None,
    seed: SeedOption = 0,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of the study. Default: runs/, named after the request."),
    ] = None,
    backend: BackendOption = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw a figure to this .png or .svg.")] = None,
    figure: Annotated[
        str, typer.Option("--figure", help="What --plot draws: edf, efficiency, properties, fit, complexity.")
    ] = "edf",
    as_json: JsonOption = False,
) -> None:
    """Compare design spaces: sample networks within a board's limits, train each briefly, judge the samples.

    Interrupted or killed, the same command goes on; with a folder alone it shows what is there.
    """
    if plot is not None:
        _check_plot(plot, figure)
    else:
        refuse_idle(context, ["figure"], "nothing is drawn", "add --plot")
    if space is None:
        path = _one(folder, run)
        if path is None:
            raise RequestError(
                "name a study to look at, or start one with --space, such as --space anynetx-a,regnetx"
            )
        trained = all_but(context, "folder", "run", "plot", "figure", "as_json")
        refuse_idle(context, trained, "a study that is there is only shown", "add --space")
    else:
        from tinynas.cost.runtime import find_runtime
        from tinynas.pipeline.study_request import StudyRequest, parse_band
        from tinynas.study.sampling import Complexity

        if ray not in (None, "local"):
            refuse_idle(context, ["workers"], "the Ray cluster has its own", "write --ray local")
        if board is None:
            raise RequestError("a study needs --board: its networks must fit one (`tinynas boards`)")
        target = load_board(board)
        request = StudyRequest(
            board=target,
            budget=make_budget(target, sram, flash),
            runtime=find_runtime(runtime).name,
            spaces=tuple(name.strip().lower() for name in space.split(",")),
            networks=networks,
            data=data,
            data_dir=Path(data_dir) if data_dir is not None else None,
            seed=seed,
            resolution=resolution,
            complexity=Complexity(
                parse_band(macs) if macs is not None else None,
                parse_count(params) if params is not None else None,
                parse_count(activations) if activations is not None else None,
            ),
            epochs=epochs,
            pictures=pictures,
            held_out=held_out,
            batch_size=batch_size,
            rate=rate,
            threads=threads,
            backend=choose_backend(backend),
        )
        path = _train(request, _one(folder, run), _executor(workers, ray, threads))
    _show(path, plot, figure, as_json)


def _one(folder: Path | None, run: Path | None) -> Path | None:
    if folder is not None and run is not None and folder != run:
        raise RequestError(f"'{folder}' and --run {run} are two folders: name one")
    return folder if folder is not None else run


def _check_plot(path: Path, figure: str) -> None:
    """Refuses before the work what would fail after it."""
    from tinynas.report.study_plot import FIGURES

    check_plot(path)
    if figure not in FIGURES:
        raise RequestError(f"--figure '{figure}' is not one: choose {', '.join(FIGURES)}")


def _executor(workers: int, ray: str | None, threads: int) -> Executor:
    from tinynas.study.executors import ProcessExecutor, RayExecutor

    if ray is not None:
        return RayExecutor(ray, workers=workers, cores_each=threads)
    return ProcessExecutor(workers)


def _train(request: StudyRequest, path: Path | None, executor: Executor) -> Path:
    from tinynas.cli.progress import watching
    from tinynas.pipeline.study import run_study
    from tinynas.search import default_run_path

    folder = path if path is not None else default_run_path(request.to_dict())
    console = remarks()
    say(console, board_line(request.board))
    say(console, f"budget: {budget_line(request.budget)}, runtime {request.runtime}")
    say(console, f"study: {folder} ({request.networks} networks each of {', '.join(request.spaces)})")
    with watching() as observer:
        run_study(request, folder, executor, observer)
    return folder


def _show(path: Path, plot: Path | None, figure: str, as_json: bool) -> None:
    from tinynas.study.analysis import analyse
    from tinynas.study.folder import read_study
    from tinynas.study.times import model_times

    found = read_study(path)
    times = model_times(found)
    findings = analyse(found, times)
    if plot is not None:
        from tinynas.report.study_plot import plot_study

        plot_study(found, plot, figure)
    if as_json:
        print_json(_plain(found, findings, plot) | {"latency_label": times.label if times else None})
    else:
        _print(output(), found, findings, plot)


def _plain(study: Study, findings: list[Findings], plot: Path | None) -> dict[str, Any]:
    return {
        "study": str(study.path),
        "done": study.is_done,
        "networks": len(study.networks),
        "trained": len(study.records),
        "request": dict(study.request),
        "spaces": [found.to_dict() for found in findings],
        "plot": str(plot) if plot is not None else None,
    }


def _print(console: Console, study: Study, findings: list[Findings], plot: Path | None) -> None:
    state = "done" if study.is_done else "unfinished: the same study command goes on"
    seconds = sum(record.outcome.seconds for record in study.records)
    print_facts(
        console,
        [
            ("study", str(study.path)),
            ("state", f"{len(study.records)} of {len(study.networks)} networks trained ({state})"),
            ("training", f"{format_seconds(seconds)} in all"),
        ],
    )
    say(console)
    table = make_table(("space",), ("n", "median error", "mean", "best", "best MACs", "best SRAM"))
    for found in findings:
        best = found.best
        table.add_row(
            found.space,
            str(len(found.edf.errors)),
            percent(found.edf.median),
            percent(found.edf.mean),
            percent(best.outcome.error),
            format_count(best.network.macs),
            f"{best.network.sram_bytes:,} B",
        )
    print_table(console, table)
    _print_intervals(console, findings)
    for found in findings:
        say(console, f"best of {found.space}: {found.best.network.genotype}")
    if plot is not None:
        say(console, f"plot: {plot}")


def _print_intervals(console: Console, findings: list[Findings]) -> None:
    """Where the best network lies, by property."""
    from tinynas.study.properties import PROPERTIES

    shown = [name for name in PROPERTIES if any(name in found.properties for found in findings)]
    if not shown:
        return
    say(console)
    say(console, "where the best network lies: median and 95 % interval of empirical bootstraps")
    table = make_table(("property",), tuple(found.space for found in findings))
    for name in shown:
        cells = [
            f"{each.median:.4g} ({each.low:.4g} to {each.high:.4g})" if each else "-"
            for each in (found.properties.get(name) for found in findings)
        ]
        table.add_row(PROPERTIES[name].title, *cells)
    print_table(console, table)
    say(console)
