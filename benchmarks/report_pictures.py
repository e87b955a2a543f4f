"""Draws docs/report-desktop.png and docs/report-phone.png: the page of a run as Chromium shows it.

    tinynas search --board stm32f746 --sram 128k --latency 30ms --strategy nsga2 --virtual --run runs/RUN
    python benchmarks/report_pictures.py runs/RUN

The front is to be seen, so sections before it that say little to who has not run it are left out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tinynas.cli.main import main as tinynas

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: name: width and height in pixels of the page, from its top
SCREENS = {"desktop": (1280, 2060), "phone": (360, 2060)}
#: sections left out, by the ids of their headings
LEFT_OUT = {"desktop": ("request", "training", "search"), "phone": ("request", "space", "training", "search")}


def main() -> None:
    """Write both pictures of the run named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    browser = shutil.which("chromium")
    if browser is None:
        raise SystemExit("Chromium takes the pictures: sudo apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        if tinynas(["report", str(run), "-o", str(page)]):
            raise SystemExit(1)
        whole = page.read_text(encoding="utf-8")
        for name, (width, height) in SCREENS.items():
            page.write_text(without(whole, LEFT_OUT[name]), encoding="utf-8")
            photograph(browser, page, DOCS / f"report-{name}.png", width, height)


def without(page: str, headings: tuple[str, ...]) -> str:
    """The HTML of `page` with the sections of these headings hidden."""
    hidden = ", ".join(f"section:has(> #{heading})" for heading in headings)
    return page.replace("</head>", f"<style>{hidden} {{ display: none; }}</style></head>", 1)


def photograph(browser: str, page: Path, file: Path, width: int, height: int) -> None:
    """The top of `page` in `file`."""
    raw = page.with_suffix(".png")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},{height}"]
    command += [f"--screenshot={raw}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(raw) as picture:
        few_colours(picture.convert("RGB")).save(file, optimize=True)
    print(f"{file}: {width} x {height} px, {file.stat().st_size / 1000:.0f} kB")


def few_colours(picture: Image.Image) -> Image.Image:
    """In its 256 most frequent colours: a third of the size, and no area changes its colour."""
    pixels = np.asarray(picture, np.int32)
    colours, which, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    frequent = colours[np.argsort(-counts)[:256]]
    nearest = np.square(colours[:, None] - frequent).sum(axis=2).argmin(axis=1)
    few = Image.fromarray(nearest[which].reshape(pixels.shape[:2]).astype(np.uint8), "P")
    few.putpalette(frequent.astype(np.uint8).tobytes())
    return few


if __name__ == "__main__":
    main()
