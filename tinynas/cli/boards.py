"""``tinynas boards``: what can be searched for."""

from __future__ import annotations

from typing import Annotated

import typer

from tinynas.board import Board, Region, board_ids, load_board
from tinynas.cli.console import (
    JsonOption,
    make_table,
    megahertz,
    output,
    print_facts,
    print_json,
    print_table,
    say,
)
from tinynas.units import format_size


def boards(
    board_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One board, or your own file x.json. Default: all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the boards, or the facts of one of them."""
    if board_id is not None:
        board = load_board(board_id)
        print_json(board.to_dict()) if as_json else _print_board(board)
        return
    known = [load_board(name) for name in board_ids()]
    print_json({"boards": [board.to_dict() for board in known]}) if as_json else _print_boards(known)


def _print_boards(known: list[Board]) -> None:
    table = make_table(("board", "core", "DSP"), ("clock", "SRAM", "flash"), ("name",))
    for board in known:
        sizes = (_short(board.sram_bytes), _short(board.flash_bytes))
        table.add_row(board.id, board.core, _yes(board.dsp), megahertz(board), *sizes, board.name)
    console = output()
    print_table(console, table)
    say(console, "`tinynas boards ID` shows one of them; your own board is a file: --board path.json")


def _print_board(board: Board) -> None:
    console = output()
    caches, uart = board.caches, board.uart
    print_facts(
        console,
        [
            ("board", board.id),
            ("name", board.name),
            ("microcontroller", board.mcu),
            ("core", f"{board.core}, DSP: {_yes(board.dsp)}, FPU: {board.fpu or 'no'}"),
            ("clock", megahertz(board)),
            ("SRAM for a network", format_size(board.sram_bytes)),
            ("flash", format_size(board.flash_bytes)),
            ("caches", _caches(caches.where, caches.icache_bytes, caches.dcache_bytes)),
            (
                "serial line",
                f"{uart.peripheral}, TX {uart.tx}, RX {uart.rx}, {uart.baud:,} baud" if uart else "-",
            ),
        ],
    )
    table = make_table(("region", "kind"), ("from", "to", "size"), ("holds a network's tensors",))
    for region in board.regions:
        table.add_row(*_region_row(region))
    print_table(console, table)


def _region_row(region: Region) -> tuple[str, ...]:
    ends = (f"0x{region.origin:08x}", f"0x{region.end - 1:08x}")
    return (region.name, region.kind, *ends, format_size(region.size_bytes), "yes" if region.arena else "")


def _caches(where: str, icache: int, dcache: int) -> str:
    if where == "none":
        return "none"
    return f"{_short(icache)} instructions, {_short(dcache)} data ({where})"


def _short(size: int) -> str:
    return format_size(size).split(" (")[0]


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
