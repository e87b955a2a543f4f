"""What firmware's plans may take: the board's memory beside the firmware's own, and the run's budget."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_search import REQUEST

from tinynas.board import load_board
from tinynas.cost import EngineRuntime, find_runtime
from tinynas.device.linker import STACK_BYTES
from tinynas.engine.goals import Aim, Goal
from tinynas.errors import RequestError
from tinynas.networks import PRESETS, build_graph
from tinynas.pipeline.aims import aim_of_run, aim_on

F746 = load_board("stm32f746")
NET = build_graph(PRESETS["mcunet-in0"])


def test_firmware_has_room_beside_arena_and_constants() -> None:
    aim = aim_on(F746, Goal.SPEED, NET)
    assert aim.goal is Goal.SPEED
    assert aim.arena is not None and aim.constants is not None
    assert 0 < F746.sram_bytes - STACK_BYTES - aim.arena < 1024
    golden = 2 * 48 * 48 * 3
    assert golden < F746.flash_bytes - aim.constants < golden + 64 * 1024


def test_a_run_keeps_its_goal_and_its_budget() -> None:
    fast = replace(REQUEST, goal=Goal.SPEED)
    assert aim_of_run(fast.to_dict(), F746, NET) == fast.aim
    assert (fast.aim.goal, fast.aim.arena) == (Goal.SPEED, 8 * 1024)
    assert aim_of_run(fast.to_dict(), F746, NET, Goal.BALANCED).goal is Goal.BALANCED
    # one that fills the board leaves the firmware its part
    full = fast.to_dict() | {"sram_bytes": F746.sram_bytes, "flash_bytes": F746.flash_bytes}
    assert aim_of_run(full, F746, NET) == aim_on(F746, Goal.SPEED, NET)


def test_the_goal_is_part_of_a_request_but_for_that_of_all_requests_before() -> None:
    assert "optimize" not in REQUEST.to_dict()
    fast = replace(REQUEST, goal=Goal.SPEED)
    assert fast.to_dict() == REQUEST.to_dict() | {"optimize": "speed"}
    assert REQUEST.rules == EngineRuntime()
    assert fast.rules == EngineRuntime(fast.aim)


def test_only_the_engine_plans_for_a_goal() -> None:
    assert find_runtime("tflm", Aim()).name == "tflm"
    with pytest.raises(RequestError, match="--optimize balanced is for the engine's plans"):
        find_runtime("tflm", Aim(Goal.BALANCED))
