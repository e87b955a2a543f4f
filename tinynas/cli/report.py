"""``tinynas report``: a run as one HTML page, as pictures, or as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinynas.cli.console import JsonOption, check_file, output, print_json, remarks, say
from tinynas.errors import RequestError

#: the page's name inside of its run
PAGE = "report.html"


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, such as one in runs/.")],
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"The page's file. Default: RUN/{PAGE}.")
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="Draw every picture as a PNG into this folder, too."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained HTML page about a run, finished or not: all it found, and how.

    With --json the same content is printed as data; a page is then written only where -o asks for it.
    """
    from tinynas.report.run_page.pictures import pictures_of, write_pictures
    from tinynas.report.run_page.read import read_page
    from tinynas.report.run_page.sections import plain

    if file is not None:
        if file.suffix.lower() not in (".html", ".htm"):
            raise RequestError(f"-o '{file}' must end in .html: the report is a page")
        check_file("-o", file)
    if png is not None and png.exists() and not png.is_dir():
        raise RequestError(f"--png '{png}' is a file: name a folder for the pictures")
    page = read_page(run)
    pictures = pictures_of(page)
    if png is not None:
        say(remarks(), f"drawing {len(pictures)} pictures into {png}")
        write_pictures(pictures, png)
    where = file or (None if as_json and not open_page else run / PAGE)
    if where is not None:
        from tinynas.report.run_page.html import render
        from tinynas.search.disk import written_whole

        say(remarks(), f"drawing the page of {run}")
        text = render(page, pictures)
        with written_whole(where) as partial:
            partial.write_text(text, encoding="utf-8")
    if as_json:
        print_json(plain(page))
    elif where is not None:
        size = where.stat().st_size / 1000
        say(output(), f"{where} ({size:,.0f} kB, nothing else is needed to read it)")
    if open_page and where is not None:
        typer.launch(where.resolve().as_uri())
