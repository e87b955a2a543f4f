"""Calibrations: kept and read back, known when out of date, and those that tinynas ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tinynas.board import board_ids, load_board
from tinynas.cost import EngineRuntime
from tinynas.cost.calibration import Calibration, kernel_digests, parse, read, shipped
from tinynas.cost.kept import heard, kept
from tinynas.cost.latency import latency_model
from tinynas.engine.goals import Aim, Goal
from tinynas.errors import RequestError
from tinynas.networks import build_graph, find_network

BOARD = "stm32f746"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder without calibrations."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def _fresh() -> Calibration:
    """One of the kernels there are now."""
    return replace(shipped()[BOARD], digests=dict(kernel_digests()))


def _keep(calibration: Calibration) -> Path:
    file = kept(calibration.board, calibration.measured)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(calibration.to_text(), encoding="utf-8")
    return file


def test_shipped_calibrations_are_of_these_kernels() -> None:
    """Else whoever changed a kernel has to make them anew."""
    stale = {board: calibration.stale for board, calibration in shipped().items() if calibration.stale}
    assert not stale, (
        f"kernels have changed since the shipped calibrations were made ({stale}): run "
        "`python benchmarks/calibrate.py`, a few minutes a board, and commit tinynas/cost/calibrations"
    )


def test_every_virtual_board_has_one_and_those_that_are_counted() -> None:
    """They say what they are."""
    twins = {"stm32f412", "stm32f746", "stm32h743", "stm32l4r5"}
    assert set(shipped()) == {*twins, "rp2040", "esp32s3"}
    for board, calibration in shipped().items():
        assert not calibration.measured
        assert calibration.core == load_board(board).core
        way = "by the virtual board" if board in twins else "from executed instructions, +-"
        assert way in calibration.times


@pytest.mark.parametrize("name", board_ids())
@pytest.mark.usefixtures("home")
def test_every_board_has_a_model(name: str) -> None:
    """By a calibration of its own or of its core, and labelled as modelled."""
    graph = build_graph(find_network("mcunet-in0"))
    for goal in Goal:
        model = latency_model(load_board(name), EngineRuntime(Aim(goal)))
        assert model is not None
        assert model.label.startswith("modelled")
        assert 1 < model.milliseconds(graph) < 2500


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every field."""
    made = shipped()[BOARD]
    assert parse(made.to_text(), "it") == made
    (tmp_path / "it.json").write_text(made.to_text(), encoding="utf-8")
    assert read(tmp_path / "it.json") == made


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 0}', "\x00"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    """In a sentence that names the file and the remedy."""
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=r"other\.json.*tinynas profile"):
        read(file)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("costs", []),
        ("costs", {"tn_dense": 3}),
        ("costs", {"tn_dense": {"row": "3"}}),
        ("clock_hz", None),
        ("clock_hz", 0),
        ("step_cycles", float("nan")),
        ("costs", {"tn_dense": {"row": float("inf")}}),
        ("digests", ["tn_dense"]),
        ("errors", {}),
        ("errors", {"networks": 1, "median": 0.1, "worst": None, "operator_median": 0.1}),
        ("goals", 7),
        ("format", 0),
    ],
)
def test_a_file_of_something_else_is_refused_in_a_sentence(field: str, value: object) -> None:
    plain = json.loads(_fresh().to_text())
    with pytest.raises(RequestError, match="it is not a calibration of this tinynas"):
        parse(json.dumps(plain | {field: value}), "it")


def test_what_was_measured_here_goes_first(home: Path) -> None:
    """Before what was modelled here, and that before what is shipped."""
    board, runtime = load_board(BOARD), EngineRuntime()
    brought = latency_model(board, runtime)
    _keep(replace(_fresh(), times="modelled here"))
    modelled = latency_model(board, runtime)
    _keep(replace(_fresh(), times="measured", measured=True))
    measured = latency_model(board, runtime)
    assert brought is not None
    assert modelled is not None
    assert measured is not None
    assert modelled.label.startswith("modelled here; sums of operators within")
    assert measured.label.startswith("modelled after what such a board took; sums of operators within")
    assert brought.label not in (modelled.label, measured.label)


def test_times_are_by_the_clock_that_was_found(home: Path) -> None:
    """Firmware may set another one than the manifest says."""
    board, graph = load_board(BOARD), build_graph(find_network("mcunet-in0"))
    brought = latency_model(board, EngineRuntime())
    _keep(replace(_fresh(), clock_hz=board.clock_hz // 2))
    slower = latency_model(board, EngineRuntime())
    assert brought is not None
    assert slower is not None
    assert (brought.clock_hz, slower.clock_hz) == (board.clock_hz, board.clock_hz // 2)
    assert slower.milliseconds(graph) == pytest.approx(2 * brought.milliseconds(graph))


def test_one_of_another_core_is_refused_with_what_to_do(home: Path) -> None:
    """A board of one's own may be called like one that was calibrated."""
    _keep(_fresh())
    own = replace(load_board(BOARD), core="cortex-m4")
    model = latency_model(own, EngineRuntime())
    assert model is not None
    assert "is of a cortex-m7, and this board has a cortex-m4, so it is not used: run `tinynas" in model.label


def test_one_out_of_date_is_refused_with_what_to_do(home: Path) -> None:
    """It is not used, and the label says why and how to mend it."""
    made = _fresh()
    digests = dict(kernel_digests()) | {"tn_pointwise": "00000000"}
    file = _keep(replace(made, digests=digests, measured=True, times="measured"))
    model = latency_model(load_board(BOARD), EngineRuntime())
    assert model is not None
    assert model.label.startswith("modelled")
    assert f"{file} was made with other kernels (tn_pointwise)" in model.label
    assert "`tinynas profile --board stm32f746 --port PORT` again" in model.label


@pytest.mark.parametrize("measured", [True, False])
def test_one_of_another_compiler_is_refused_once_a_board_tells(home: Path, measured: bool) -> None:
    """Until the board is calibrated again, or answers with firmware of that compiler."""
    file = _keep(replace(_fresh(), measured=measured, times="modelled here", compiler="GCC 12.2.1"))

    def label() -> str:
        model = latency_model(load_board(BOARD), EngineRuntime())
        assert model is not None
        return model.label

    used = label()
    assert str(file) not in used
    assert heard(BOARD, measured, "GCC 12.2.1") is None
    # a board of another kind says nothing of this one
    assert heard(BOARD, not measured, "GCC 13.3.1") is None
    assert label() == used
    told = heard(BOARD, measured, "GCC 13.3.1")
    assert told is not None
    assert "calibrated with firmware by GCC 12.2.1, and this is by GCC 13.3.1: run" in told
    assert f"{file} is of firmware by GCC 12.2.1, and what answered last" in label()
    assert "by GCC 13.3.1, so it is not used: run `tinynas profile --board stm32f746 --" in label()
    assert heard(BOARD, measured, "GCC 12.2.1") is None
    assert label() == used
    heard(BOARD, measured, "GCC 13.3.1")
    _keep(replace(_fresh(), measured=measured, times="modelled here", compiler="GCC 13.3.1"))
    assert str(file) not in label()


def test_what_a_board_says_is_noted_only_where_it_was_calibrated(home: Path) -> None:
    """Nor does a calibration that cannot be read stand in the way of a measurement."""
    assert heard(BOARD, True, "GCC 13.3.1") is None
    assert not list(home.rglob("*"))
    file = _keep(replace(_fresh(), measured=True))
    file.write_text("{", encoding="utf-8")
    assert heard(BOARD, True, "GCC 13.3.1") is None
    assert [each.name for each in home.rglob("*") if each.is_file()] == [file.name]


def test_one_of_another_goal_is_refused(home: Path) -> None:
    """Kernels of fast plans are not known from plans for the smallest arena."""
    file = _keep(replace(_fresh(), goals=("ram",), times="modelled here"))
    board = load_board(BOARD)
    small, fast = (latency_model(board, EngineRuntime(Aim(goal))) for goal in (Goal.RAM, Goal.SPEED))
    assert small is not None
    assert fast is not None
    assert small.label.startswith("modelled here")
    assert f"{file} is of plans for ram and is not used for speed: run `tinynas profile" in fast.label


def test_a_kernel_that_is_new_makes_one_out_of_date() -> None:
    """A network may be run by a kernel that nobody timed."""
    made = _fresh()
    digests = {kernel: digest for kernel, digest in kernel_digests().items() if kernel != "tn_dense"}
    assert replace(made, digests=digests).stale == ("tn_dense",)
