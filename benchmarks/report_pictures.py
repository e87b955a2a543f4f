"""Draws docs/report-desktop.png and docs/report-phone.png: the page of a run as Chromium shows it.

tinynas search --board stm32f746 --sram 320k --virtual
python benchmarks/report_pictures.py runs/stm32f746-320k-digits-s0-XXXXXX
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from tinynas.cli.main import main as tinynas

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: name: width and height in pixels of the page, from its top
SCREENS = {"desktop": (1280, 2060), "phone": (360, 2060)}


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
        for name, (width, height) in SCREENS.items():
            photograph(browser, page, DOCS / f"report-{name}.png", width, height)


def photograph(browser: str, page: Path, file: Path, width: int, height: int) -> None:
    """The top of `page` in `file`."""
    raw = page.with_suffix(".png")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},{height}"]
    command += [f"--screenshot={raw}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(raw) as picture:
        # 256 colours, the rare ones too: a third of the size, and nobody sees it
        few = picture.convert("RGB").quantize(
            256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        few.save(file, optimize=True)
    print(f"{file}: {width} x {height} px, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
