"""The page in a real browser, wide and on a phone: nothing sticks out, is missing, or complains."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
from made_run import damage, deployment, make_run

from tinynas.cli.main import main

pytestmark = pytest.mark.slow

WIDTHS = (1280, 360)
#: put into the copy that the browser opens, never into the page: what went wrong, and how large everything is
WATCH = "<script>var wrong=[];onerror=m=>wrong.push(String(m));alert=m=>wrong.push('alert '+m);</script>"
MEASURE = """<script>addEventListener('load',()=>{
 const box=e=>{const r=e.getBoundingClientRect();return [e.tagName,r.width,r.height]};
 const all=[...document.querySelectorAll('body *')];
 const boxed=e=>e.closest('.scroll')!==null;
 const out=document.createElement('pre');out.id='measured';
 out.textContent=JSON.stringify({wrong,inner:innerWidth,scroll:document.scrollingElement.scrollWidth,
  pictures:[...document.querySelectorAll('svg,img')].map(box),
  sticking:all.filter(e=>!boxed(e)&&!e.closest('svg')&&e.getBoundingClientRect().right>innerWidth+0.5)
   .map(e=>e.tagName+'.'+e.className),
  scrolled:[...document.querySelectorAll('.scroll')].filter(e=>e.scrollWidth>e.clientWidth).length,
  least:Math.min(...[...document.querySelectorAll('svg text')].map(e=>{const m=e.getScreenCTM();
   return parseFloat(getComputedStyle(e).fontSize)*Math.hypot(m.a,m.b)})),
  paper:getComputedStyle(document.body).backgroundColor});
 parent.document.body.append(out)})</script>"""


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium to look at pages with: sudo apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run whose every text is as hostile, and as long, as can be: a frame for each width.

    A window of Chromium is never narrower than 500 pixels; a frame is, and for its page it is the screen.
    """
    folder = tmp_path_factory.mktemp("runs")
    hostile = "<script>alert('data')</script>" + "unbroken" * 40
    run = make_run(folder / ("<script>alert('name')" + "x" * 100), data=hostile)
    record = deployment() | {"compiler": hostile, "times": hostile}
    damage(run / "deployments" / "stm32f746-virtual.json", record)
    assert main(["report", str(run), "-o", str(folder / "page.html")]) == 0
    text = (folder / "page.html").read_text()
    watched = text.replace("<head>", "<head>" + WATCH, 1).replace("</body>", MEASURE + "</body>", 1)
    for width in WIDTHS:
        frame = f'<iframe width="{width}" height="900" style="border:0" srcdoc="{escape(watched)}"></iframe>'
        (folder / f"{width}.html").write_text(f'<meta name="color-scheme" content="light dark">{frame}')
    return folder


def look(chromium: str, page: Path, width: int, profile: Path, *flags: str) -> tuple[dict[str, Any], str]:
    """What the page measures `width` pixels wide, and all that the browser said."""
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={profile}", "--window-size=1400,1000", *flags, "--dump-dom"]
    command.append((page / f"{width}.html").as_uri())
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(unescape(found[1])), done.stderr


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_in_a_browser(chromium: str, page: Path, width: int, tmp_path: Path) -> None:
    measured, said = look(chromium, page, width, tmp_path)
    assert "CONSOLE" not in said, said
    assert measured["wrong"] == []
    assert measured["inner"] == width
    assert measured["scroll"] <= width and measured["sticking"] == []
    assert len(measured["pictures"]) == 7
    assert all(wide >= 250 and high >= 100 for _, wide, high in measured["pictures"])
    # on a phone wide tables and the picture of the memory move in boxes of their own; text stays readable
    assert (measured["scrolled"] > 0) == (width == 360)
    assert measured["least"] >= 10 - 0.1


def test_the_page_is_dark_where_the_reader_is(chromium: str, page: Path, tmp_path: Path) -> None:
    measured, _ = look(chromium, page, 360, tmp_path, "--blink-settings=preferredColorScheme=0")
    shades = [int(shade) for shade in re.findall(r"\d+", measured["paper"])]
    assert max(shades[:3]) < 60
