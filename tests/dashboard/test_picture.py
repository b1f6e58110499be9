"""The dashboard's picture, as text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.dashboard.picture import ASCII, BLOCKS, bar, draw, top_curves
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.outputs.link import LinkStatus
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.rig.curves import neutral_board
from tests.monitor.faces import CountedLink, metrics, play, subject

if TYPE_CHECKING:
    from cstalk_bridge.monitor.metrics import Metrics


NAMES = ("Anna", "Bruno", "Clara", "Dora")


def lines(running: Metrics, now_s: float, width: int = 80, height: int = 24) -> list[str]:
    """Print the picture on a terminal of that size and return its lines."""
    # An old console of Windows, for which rich takes a file there, would get a column less.
    console = Console(
        file=io.StringIO(), width=width, height=height, color_system=None, legacy_windows=False
    )
    console.print(draw(running, now_s, width, height))
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue().splitlines()


def test_one_subject_is_shown_in_full() -> None:
    running = metrics()
    running.subjects[0].emotion_at = lambda _now_s: {"happy": 0.7, "sad": 0.001}
    now_s = play(running)
    running.notice(now_s - 90, "the bundled recording is played", "CSTalk")
    text = "\n".join(lines(running, now_s))
    expected = (
        "17:00:02:59", "60 fps", "look-ahead 80 ms", "cpu", "0.4 ms (p99 0.4)",
        "CSTalk  OK", "Built-in Microphone", "-24 dB", "happy 0.7", "0.62  C_jaw.ty",
        "device   block", "3.1", "35.5", "60.0 /s  livelink-face://127.0.0.1:11111",
        "nothing", "2 min CSTalk: the bundled recording is played",
    )  # fmt: skip
    for part in expected:
        assert part in text, part


def test_a_fixed_buffer_is_shown_as_set_and_an_adaptive_one_as_it_is_now() -> None:
    fixed = metrics(buffer_ms=12)
    assert "buffer 12 ms" in "\n".join(lines(fixed, play(fixed)))
    adaptive = metrics(*map(subject, NAMES), buffer_ms=None)
    now_s = play(adaptive)
    adaptive.subjects[2].buffer_at = lambda at_s: 0.0304 if at_s == now_s else 9.0
    assert "buffer auto 30 ms" in "\n".join(lines(adaptive, now_s))


def test_the_priority_that_was_obtained_is_shown_once_it_is_known() -> None:
    running = metrics()
    now_s = play(running)
    assert "priority" not in "\n".join(lines(running, now_s))
    running.priority = "high"
    assert "priority high" in "\n".join(lines(running, now_s))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_lamps_stand_beside_the_state_in_every_view(count: int) -> None:
    running = metrics(*map(subject, NAMES[:count]))
    now_s = play(running)
    running.subjects[0].is_muted = running.subjects[0].is_paused = True
    text = "\n".join(lines(running, now_s))
    assert f" {NAMES[0]}  OK   MUTED   PAUSED " in text
    assert text.count("MUTED") == text.count("PAUSED") == 1
    running.subjects[0].set_input(SourceState.LOST, "USB Microphone")
    text = "\n".join(lines(running, now_s))
    assert f" {NAMES[0]}  NO INPUT   MUTED   PAUSED   USB Microphone is disconnected" in text


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 12), (200, 60), (20, 4)])
def test_the_picture_fits_the_terminal(count: int, width: int, height: int) -> None:
    running = metrics(*(subject(name, links=2) for name in NAMES[:count]))
    now_s = play(running)
    running.notice(now_s, "a long story " * 30)
    shown = lines(running, now_s, width, height)
    assert len(shown) <= height
    assert max(map(len, shown)) <= width


def test_four_subjects_fit_a_terminal_of_80_by_24() -> None:
    running = metrics(*map(subject, NAMES))
    now_s = play(running)
    shown = "\n".join(lines(running, now_s))
    assert all(f" {name}  OK" in shown for name in NAMES)
    assert shown.count("packets/s") == 4


def test_problems_stand_beside_the_name_with_their_advice() -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].set_input(SourceState.LOST, "USB Microphone")
    (title,) = [line for line in lines(running, now_s) if "CSTalk  " in line]
    assert title.strip() == "CSTalk  NO INPUT   USB Microphone is disconnected; plug it in again"


def test_losses_are_named_by_cause() -> None:
    running = metrics()
    now_s = play(running)
    running.subjects[0].record_drop("late", now_s, 3)
    running.subjects[0].record_drop("blocks", now_s)
    assert any("1 blocks, 3 late" in line for line in lines(running, now_s))


def test_before_any_measurement_the_picture_is_drawn() -> None:
    shown = "\n".join(lines(metrics(), 0.0))
    assert "STARTING" in shown
    assert "--:--:--:--" in shown


def test_markup_in_names_is_not_interpreted() -> None:
    running = metrics(subject("[bold]x[/]"))
    assert any("[bold]x[/]" in line for line in lines(running, play(running)))


def test_a_terminal_without_block_characters_gets_ascii() -> None:
    running = metrics()
    now_s = play(running)
    assert draw(running, now_s, 80, 24, ASCII).plain.isascii()


def test_a_bar_fills_exactly_its_width() -> None:
    assert bar(0.0, 4, ASCII) == "...."
    assert bar(0.5, 4, ASCII) == "##.."
    assert bar(7.0, 4, ASCII) == "####"
    assert bar(-1.0, 4, BLOCKS) == "····"
    assert bar(0.125, 1, BLOCKS) == "▏"


def test_top_curves_are_those_furthest_from_rest() -> None:
    one = subject()
    board = neutral_board()
    board[CHANNEL_INDEX["CTRL_C_jaw.ty"]], board[CHANNEL_INDEX["CTRL_L_brow_down.ty"]] = 0.3, 0.5
    board[CHANNEL_INDEX["CTRL_C_jaw.tx"]] = -0.4
    one.record_face(board, 0)
    assert [name for name, _ in top_curves(one, 2)] == ["L_brow_down.ty", "C_jaw.tx"]


def test_each_link_has_its_lamp_and_what_to_do_is_read_whole_in_80_columns() -> None:
    running = metrics(subject(links=3))
    now_s = play(running)
    _, deaf, far = (link.counters for link in running.subjects[0].links)
    assert isinstance(deaf, CountedLink)
    assert isinstance(far, CountedLink)
    advice = (
        "nobody listens at 127.0.0.1:11112; start Unreal with the plugin Apple ARKit Face Support; "
        "its default port is 11111"
    )
    deaf.delivery = LinkStatus(Delivery.NO_RECEIVER, advice)
    far.delivery = LinkStatus(Delivery.SENT)
    lines = draw(running, now_s, 80, 24).plain.splitlines()
    shown = "\n".join(lines)
    assert "livelink-face://127.0.0.1:11111  listening" in shown
    assert "livelink-face://127.0.0.1:11112   NO RECEIVER " in shown
    assert "livelink-face://127.0.0.1:11113  sent, no answer expected" in shown
    assert " ".join(shown.split()).count(advice) == 1
    (title,) = (line for line in lines if line.startswith(" CSTalk  "))
    assert title.split() == ["CSTalk", "NO", "RECEIVER"]
    # Four subjects leave no room for links: the title says it.
    crowd = metrics(*(subject(name) for name in "ABCD"))
    now_s = play(crowd)
    link = crowd.subjects[0].links[0].counters
    assert isinstance(link, CountedLink)
    link.delivery = LinkStatus(Delivery.NO_RECEIVER, advice)
    assert "NO RECEIVER   livelink-face://127.0.0.1:11111: nobody" in (
        draw(crowd, now_s, 80, 24).plain
    )
