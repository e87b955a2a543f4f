"""The boards' catalogue against the datasheets, against PlatformIO, and against files people get wrong."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynas import board as board_module
from tinynas import resources
from tinynas.board import Board, Budget, board_ids, load_board, make_budget
from tinynas.errors import BoardError, RequestError, TinynasError
from tinynas.units import KIB, MIB

BOARDS = Path(__file__).resolve().parent.parent / "boards"

# id: SRAM KiB, flash KiB, core, Arm DSP, MHz, first address of the arena: from the vendors' datasheets
DATASHEETS = {
    "stm32f412": (256, 1024, "cortex-m4", True, 100, 0x20000000),
    "stm32f746": (320, 1024, "cortex-m7", True, 216, 0x20000000),
    "stm32f767": (512, 2048, "cortex-m7", True, 216, 0x20000000),
    "stm32h743": (512, 2048, "cortex-m7", True, 480, 0x24000000),
    "stm32l4r5": (640, 2048, "cortex-m4", True, 120, 0x20000000),
    "nrf52840": (256, 1024, "cortex-m4", True, 64, 0x20000000),
    "rp2040": (264, 2048, "cortex-m0plus", False, 125, 0x20000000),
    # of its 512 KiB, 32 hold the instruction cache and 32 the data cache
    "esp32s3": (448, 8192, "xtensa-lx7", False, 240, 0x3FC88000),
}


def test_the_catalogue_is_what_the_datasheets_list() -> None:
    assert board_ids() == tuple(sorted(DATASHEETS))


@pytest.mark.parametrize("name", sorted(DATASHEETS))
def test_board_equals_its_datasheet(name: str) -> None:
    sram, flash, core, dsp, mhz, arena = DATASHEETS[name]
    board = load_board(name)
    assert (board.id, board.core, board.dsp) == (name, core, dsp)
    assert (board.sram_bytes, board.flash_bytes) == (sram * KIB, flash * KIB)
    assert board.clock_hz == mhz * 1_000_000
    assert min(region.origin for region in board.regions if region.arena) == arena
    assert board.uart is not None and board.uart.baud == 115_200
    assert board.caches.where in ("core", "flash")


def test_the_f746_is_laid_out_as_in_its_reference_manual() -> None:
    regions = {region.name: region for region in load_board("stm32f746").regions}
    assert (regions["DTCM"].size_bytes, regions["DTCM"].end) == (64 * KIB, regions["SRAM1"].origin)
    assert (regions["SRAM1"].origin, regions["SRAM1"].size_bytes) == (0x20010000, 240 * KIB)
    assert (regions["SRAM2"].origin, regions["SRAM2"].end) == (0x2004C000, 0x20050000)
    assert regions["ITCM"].size_bytes == 16 * KIB and not regions["ITCM"].arena
    assert regions["FLASH"].origin == 0x08000000


def test_memory_outside_the_arena_is_listed_but_not_promised() -> None:
    h743 = load_board("stm32h743")
    data = sum(r.size_bytes for r in h743.regions if r.kind in ("sram", "dtcm"))
    assert data - h743.sram_bytes == (128 + 128 + 128 + 32 + 64) * KIB  # DTCM and SRAM1 to SRAM4
    s3 = load_board("esp32s3")
    assert sum(r.size_bytes for r in s3.regions if r.kind != "flash") == 512 * KIB


@pytest.mark.parametrize("name", sorted(DATASHEETS))
def test_platformio_reads_every_manifest(name: str) -> None:
    pytest.importorskip("platformio", reason="PlatformIO is in the extra 'firmware'")
    from platformio.platform.board import PlatformBoardConfig

    config = PlatformBoardConfig(str(BOARDS / f"{name}.json"))
    board, brief = load_board(name), config.get_brief_data()
    assert brief["id"] == name and brief["name"] == board.name
    assert (brief["ram"], brief["rom"]) == (board.sram_bytes, board.flash_bytes)
    assert brief["fcpu"] == board.clock_hz
    assert brief["frameworks"] and config.get("upload.protocol") in config.get("upload.protocols")


def test_to_dict_is_json_with_units() -> None:
    plain = json.loads(json.dumps(load_board("stm32f746").to_dict()))
    assert plain["sram_bytes"] == 327_680 and plain["flash_bytes"] == 1_048_576
    assert plain["clock_hz"] == 216_000_000
    assert plain["regions"][0]["size_bytes"] == 16_384
    assert plain["caches"]["dcache_bytes"] == 4096 and plain["uart"]["tx"] == "PA9"


def test_names_are_forgiving_about_case() -> None:
    assert load_board(" STM32F746 ") == load_board("stm32f746")


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("stm32f745", "stm32f746"), ("stm32f747", "stm32f746"), ("f746", "stm32f746"), ("nrf52", "nrf52840"),
     ("esp32", "esp32s3"), ("rp2350", "rp2040"), ("h743", "stm32h743")],
)  # fmt: skip
def test_a_wrong_name_suggests_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(BoardError, match=f"did you mean.*{nearest}") as caught:
        load_board(wrong)
    assert "`tinynas boards`" in str(caught.value) and wrong in str(caught.value)


@pytest.mark.parametrize("wrong", ["", "zzzz", "../boards/stm32f746", "stm32f746.jsonx"])
def test_a_name_near_nothing_still_says_where_to_look(wrong: str) -> None:
    with pytest.raises(BoardError, match="`tinynas boards`"):
        load_board(wrong)


def test_a_users_own_file_is_as_good(tmp_path: Path) -> None:
    text = (BOARDS / "stm32f746.json").read_text()
    (tmp_path / "mine.JSON").write_text(text.replace("ST 32F746GDISCOVERY", "My board"))
    board = load_board(str(tmp_path / "mine.JSON"))
    assert (board.id, board.name, board.sram_bytes) == ("mine", "My board", 320 * KIB)


def test_a_minimal_file_needs_no_caches_uart_or_fpu(tmp_path: Path) -> None:
    manifest = _manifest()
    for key in ("caches", "uart", "fpu"):
        del manifest["tinynas"][key]
    board = _load(tmp_path, manifest)
    assert board.uart is None and board.fpu is None and board.caches.dcache_bytes == 0


def _manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((BOARDS / "stm32f746.json").read_text())
    return manifest


def _load(folder: Path, manifest: object) -> Board:
    file = folder / "mine.json"
    file.write_text(json.dumps(manifest))
    return load_board(str(file))


def _put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Sets ``a.b.0.c`` of a manifest."""

    def change(manifest: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        node: Any = manifest
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node[key]
        node[last] = value

    return change


@pytest.mark.parametrize(
    "path",
    ["name", "vendor", "build", "build.mcu", "build.f_cpu", "upload", "upload.maximum_ram_size",
     "upload.maximum_size", "tinynas", "tinynas.core", "tinynas.dsp", "tinynas.clock_hz", "tinynas.regions"],
)  # fmt: skip
def test_a_missing_field_is_named(tmp_path: Path, path: str) -> None:
    manifest = _manifest()
    *parents, last = path.split(".")
    node = manifest
    for key in parents:
        node = node[key]
    del node[last]
    with pytest.raises(BoardError, match=f"mine.json: '{path}' is missing"):
        _load(tmp_path, manifest)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("name", 7, "'name' is 7 and must be a text"),
        ("vendor", "  ", "'vendor' is"),
        ("build", [], "'build' is [] and must be an object"),
        ("upload.maximum_ram_size", "320k", "'upload.maximum_ram_size' is \"320k\" and must be a whole"),
        ("upload.maximum_ram_size", 327680.0, "'upload.maximum_ram_size' is 327680.0"),
        ("upload.maximum_size", True, "'upload.maximum_size' is true"),
        ("upload.maximum_size", -1, "'upload.maximum_size' is -1"),
        ("tinynas.dsp", "yes", "'tinynas.dsp' is \"yes\" and must be true or false"),
        ("tinynas.clock_hz", 0, "'tinynas.clock_hz' is 0"),
        ("tinynas.fpu", 5, "'tinynas.fpu' is 5"),
        ("tinynas.regions", [], "'tinynas.regions' is []"),
        ("tinynas.regions", [1], "'tinynas.regions' is [1]"),
        ("tinynas.regions.2.kind", "ram", "'tinynas.regions[2].kind' is \"ram\" and must be one of"),
        ("tinynas.regions.2.kind", ["sram"], "'tinynas.regions[2].kind'"),
        ("tinynas.regions.2.origin", 536870912, "'tinynas.regions[2].origin'"),
        ("tinynas.regions.2.origin", "0xZZ", "'tinynas.regions[2].origin' is \"0xZZ\""),
        ("tinynas.regions.2.arena", 1, "'tinynas.regions[2].arena' is 1"),
        ("tinynas.caches.where", "ram", "'tinynas.caches.where'"),
        ("tinynas.caches.line_bytes", 0, "'tinynas.caches.line_bytes' is 0"),
        ("tinynas.uart.baud", "fast", "'tinynas.uart.baud' is \"fast\""),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, path: str, value: object, named: str) -> None:
    manifest = _manifest()
    _put(path, value)(manifest)
    with pytest.raises(BoardError) as caught:
        _load(tmp_path, manifest)
    assert named in str(caught.value) and "mine.json" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("upload.maximum_ram_size", 524_288, "arena regions add up to 327,680"),
        ("upload.maximum_size", 524_288, "flash regions add up to 1,048,576"),
        ("tinynas.clock_hz", 200_000_000, "clock_hz is 200000000"),
        ("tinynas.core", "cortex-m4", 'tinynas.core is "cortex-m4"'),
        ("tinynas.regions.3.origin", "0x2000F000", "DTCM overlapping SRAM1"),
        ("tinynas.regions.4.origin", "0x2004D000", "a gap in the arena between SRAM1 and SRAM2"),
        ("tinynas.regions.0.arena", True, "a gap in the arena between ITCM and DTCM"),  # ITCM
        ("tinynas.regions.3.arena", False, "a gap in the arena between DTCM and SRAM2"),
        ("tinynas.regions.2.kind", "cache", "marks DTCM as arena, but it is cache"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(
    tmp_path: Path, path: str, value: object, says: str
) -> None:
    manifest = copy.deepcopy(_manifest())
    _put(path, value)(manifest)
    with pytest.raises(BoardError) as caught:
        _load(tmp_path, manifest)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff\xfe{", "not valid JSON"),
        (b"[]", "one JSON object"),
    ],
)
def test_a_file_that_is_no_json_object(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(content)
    with pytest.raises(BoardError, match=says):
        load_board(str(file))


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"no board file .*absent\.json"):
        load_board(str(tmp_path / "absent.json"))
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(BoardError, match="cannot be read"):
        load_board(str(tmp_path / "folder.json"))


def test_a_budget_defaults_to_the_whole_board() -> None:
    board = load_board("stm32f746")
    assert make_budget(board) == Budget(320 * KIB, MIB)
    assert make_budget(board, sram="64k", flash="0.5m") == Budget(64 * KIB, 512 * KIB)


def test_a_budget_of_time_is_a_latency_or_a_rate() -> None:
    board = load_board("stm32f746")
    assert make_budget(board, latency="0.1s") == make_budget(board, fps="10") == Budget(320 * KIB, MIB, 100.0)
    with pytest.raises(RequestError, match="give one of them"):
        make_budget(board, latency="100ms", fps="10")


@pytest.mark.parametrize("sram", ["320MB", "321k", "327681"])
def test_more_than_the_board_has_is_refused(sram: str) -> None:
    with pytest.raises(RequestError, match=r"stm32f746 has 320 KiB .* of SRAM; ask for at most that"):
        make_budget(load_board("stm32f746"), sram=sram)


def test_more_flash_than_the_board_has_is_refused() -> None:
    with pytest.raises(RequestError, match=r"has 1 MiB .* of flash; ask for at most that, not 2 MiB"):
        make_budget(load_board("stm32f746"), flash="2m")


@given(st.integers(1, 2**20), st.integers(1, 2**22))
def test_a_budget_is_what_was_asked_or_an_error(sram: int, flash: int) -> None:
    board = load_board("stm32f746")
    if sram <= board.sram_bytes and flash <= board.flash_bytes:
        assert make_budget(board, str(sram), str(flash)) == Budget(sram, flash)
    else:
        with pytest.raises(RequestError):
            make_budget(board, str(sram), str(flash))


def test_the_catalogue_of_a_wheel_and_a_broken_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "tinynas"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    board_module._catalogue.cache_clear()
    try:
        with pytest.raises(TinynasError, match="install tinynas again"):
            board_ids()
        (package / "_project" / "boards").mkdir(parents=True)
        (package / "_project" / "boards" / "solo.json").write_text((BOARDS / "rp2040.json").read_text())
        assert board_ids() == ("solo",)
        assert load_board("solo").core == "cortex-m0plus"
    finally:
        board_module._catalogue.cache_clear()


def test_boards_need_no_heavy_library() -> None:
    code = (
        "import sys, tinynas.board as b; [b.load_board(i) for i in b.board_ids()];"
        "print(sorted({'numpy', 'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
