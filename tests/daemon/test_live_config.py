"""Edits of the config file and of rig maps while the whole daemon runs."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from cstalk_bridge import daemon
from cstalk_bridge.config.load import ConfigFile, ConfigOverrides
from cstalk_bridge.control.controller import Controller
from cstalk_bridge.preview.hub import HEADER
from cstalk_bridge.rig.curves import ARKIT_CURVES
from tests.daemon.running import PacketCollector
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.outputs.livelink_face import Packet

TIMEOUT_S = 60.0


class EditedRun:
    """A daemon that runs a config file, which `edit` changes, and the packets at two ports."""

    def __init__(
        self, folder: Path, weights: Path, collectors: list[PacketCollector], **flags: object
    ) -> None:
        self.path = folder / "config.yaml"
        self.collectors = collectors
        self.ports = [collector.source.target.port for collector in collectors]
        self.config: dict[str, Any] = {
            "weights": str(weights),
            "recording": {"folder": str(folder / "takes")},
            "dashboard": False,
            "subjects": [self.subject("Ann", 0)],
        }
        self.save()
        self.file = ConfigFile(self.path, ConfigOverrides(**flags))
        self.controller, self.stop = Controller(), threading.Event()
        self._metrics: list[Metrics] = []
        self._thread = threading.Thread(target=self._run)

    def subject(self, name: str, place: int, **settings: object) -> dict[str, Any]:
        """Return a subject that sends to one of the ports."""
        link = f"livelink-face://127.0.0.1:{self.ports[place]}"
        return {"name": name, "audio": {"input": "test"}, "links": [link], **settings}

    def save(self) -> None:
        """Replace the file, as editors do: by another of its name."""
        written = self.path.with_suffix(".new")
        written.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        written.replace(self.path)

    def edit(self, **settings: object) -> None:
        """Change settings of the first subject in the file."""
        self.config["subjects"][0] |= settings
        self.save()

    @property
    def notices(self) -> list[str]:
        """What the user was told."""
        return [notice.text for notice in self._metrics[0].notices()] if self._metrics else []

    def wait_for_notice(self, part: str) -> str:
        """Wait until a notice holds this, and return it."""
        wait_until(lambda: any(part in notice for notice in self.notices), TIMEOUT_S)
        return next(notice for notice in self.notices if part in notice)

    @property
    def config_fault(self) -> str:
        """What the status says of the file."""
        return self._metrics[0].config_fault

    @property
    def skipped(self) -> int:
        """How many ticks were skipped because the machine was busy."""
        return self._metrics[0].subjects[0].drops["ticks"].total

    def packets(self, place: int) -> list[Packet]:
        """Return all packets of a port; the run must be over."""
        return self.collectors[place].packets()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the daemon within the context."""
        self._thread.start()
        try:
            assert self.controller.wait_until_running(TIMEOUT_S)
            yield
        finally:
            self.stop.set()
            self._thread.join(TIMEOUT_S)

    def _run(self) -> None:
        @contextmanager
        def watch(metrics: Metrics) -> Iterator[None]:
            self._metrics.append(metrics)
            yield

        daemon.run(
            self.file.read(),
            controller=self.controller,
            stop=self.stop,
            watch=watch,
            is_urgent=False,
            file=self.file,
        )


@pytest.fixture
def edited(tmp_path: Path, weights: Path) -> Iterator[EditedRun]:
    with receiver() as first, receiver() as second:
        collectors = [PacketCollector(first), PacketCollector(second)]
        try:
            yield EditedRun(tmp_path, weights, collectors)
        finally:
            for collector in collectors:
                collector.packets()


def check_frames(edited: EditedRun, place: int, subject: str) -> None:
    """Check that no frame is missing but those of ticks that a busy machine has skipped."""
    frames = [packet.frame for packet in edited.packets(place) if packet.subject == subject]
    assert len(frames) > 10
    steps = np.diff(frames)
    assert steps.min() >= 1
    assert (steps - 1).sum() <= edited.skipped


def test_edited_settings_of_a_subject_are_applied_without_a_missing_frame(
    edited: EditedRun,
) -> None:
    with edited.running():
        edited.edit(
            emotion={"happy": 0.7},
            alive={"gaze": 0.5},
            mouth_guard=0.9,
            audio={"input": "test", "gain_db": 6.0, "gate": {"enabled": True}},
            rest={"silence": "neutral"},
        )
        notice = edited.wait_for_notice("changed Ann")
        state = edited.controller.subject("Ann").state()
    assert str(edited.path) in notice
    assert "emotion, mouth_guard, alive.gaze" in notice
    assert (state.weights["happy"], state.gain_db, state.levels.gaze) == (0.7, 6.0, 0.5)
    assert state.settings["mouth_guard"] == 0.9
    check_frames(edited, 0, "Ann")


def test_both_levels_of_a_gate_may_pass_each_other_in_one_edit(edited: EditedRun) -> None:
    with edited.running():
        gate = {"enabled": True, "open_db": -70.0, "close_db": -76.0}
        edited.edit(audio={"input": "test", "gate": gate})
        edited.wait_for_notice("audio.gate.close_db")
        found = edited.controller.subject("Ann").noise_gate
    assert (found.enabled, found.open_db, found.close_db) == (True, -70.0, -76.0)


def test_a_value_changed_live_stays_until_the_file_has_another_one(edited: EditedRun) -> None:
    with edited.running():
        ann = edited.controller.subject("Ann")
        ann.gain(-3.0)
        ann.emotion({"sad": 0.4})
        edited.edit(emotion={"happy": 0.6})
        edited.wait_for_notice("changed Ann: emotion")
        assert ann.state().gain_db == -3.0
        assert ann.mix == {"happy": 0.6}
        edited.edit(audio={"input": "test", "gain_db": 2.0})
        edited.wait_for_notice("changed Ann: audio.gain_db")
        assert ann.state().gain_db == 2.0


def test_an_edit_with_mistakes_changes_nothing_and_says_where_they_are(edited: EditedRun) -> None:
    with edited.running():
        text = edited.path.read_text(encoding="utf-8")
        wrong = text.replace("subjects:", "fsp: 30\nsubjects:") + "  emotion: hapy:0.3\n"
        edited.path.write_text(wrong, encoding="utf-8")
        edited.wait_for_notice("2 mistakes; nothing was changed")
        edited.wait_for_notice("there is no emotion 'hapy'")
        places = [notice for notice in edited.notices if notice.startswith(f"{edited.path}:")]
        fault = edited.config_fault
        edited.edit(emotion={"happy": 0.2})
        edited.wait_for_notice("changed Ann: emotion")
        cleared = edited.config_fault
    assert any("unknown key `fsp`; did you mean `fps`?" in place for place in places)
    assert any("there is no emotion 'hapy'" in place for place in places)
    assert all(place[len(str(edited.path)) :].split(":")[1].isdigit() for place in places[1:])
    assert ("2 mistakes" in fault, cleared) == (True, "")
    check_frames(edited, 0, "Ann")


@pytest.mark.parametrize("left", ["", "# only a comment\n", "subjects:\n  - name: [A"])
def test_a_file_that_is_empty_or_half_written_changes_nothing(edited: EditedRun, left: str) -> None:
    with edited.running():
        edited.path.write_text(left, encoding="utf-8")
        edited.wait_for_notice("nothing was changed")
        assert [subject.name for subject in edited.controller.subjects] == ["Ann"]


def test_edited_keyframes_come_at_their_time_and_past_ones_do_not(edited: EditedRun) -> None:
    with edited.running():
        edited.edit(
            emotions=[
                {"at_s": 0.0, "emotion": "sad:0.9"},
                {"at_s": 0.001, "emotion": "angry:0.9", "over_s": 0.0},
                {"at_s": 8.0, "emotion": "happy:0.8", "over_s": 0.0},
            ]
        )
        edited.wait_for_notice("changed Ann: emotions")
        ann = edited.controller.subject("Ann")
        before = ann.mix
        wait_until(lambda: ann.mix == {"happy": 0.8}, TIMEOUT_S)
    assert before in ({}, {"happy": 0.8})


def test_what_needs_a_restart_is_named(edited: EditedRun) -> None:
    with edited.running():
        edited.config |= {"fps": 30, "preview": "127.0.0.1:0"}
        edited.edit(seed=5)
        notice = edited.wait_for_notice("needs a restart")
        edited.edit(emotion={"happy": 0.5})
        edited.wait_for_notice("changed Ann: emotion")
        again = [notice for notice in edited.notices if "needs a restart" in notice]
    assert notice.endswith("needs a restart: fps; preview; Ann: seed")
    assert again == [notice]


def test_subjects_are_added_and_removed_without_a_missing_frame(edited: EditedRun) -> None:
    with edited.running():
        edited.config["subjects"].append(edited.subject("Bea", 1, emotion="happy:0.5"))
        edited.save()
        edited.wait_for_notice("added Bea")
        bea = edited.controller.subject("Bea")
        wait_until(lambda: bea.state().level_db > -90.0, TIMEOUT_S)
        states = [subject.state().name for subject in edited.controller.subjects]
        wait_until(lambda: len(edited.collectors[1].datagrams) > 60, TIMEOUT_S)
        edited.config["subjects"].pop(0)
        edited.save()
        edited.wait_for_notice("removed Ann")
        left = [subject.state().name for subject in edited.controller.subjects]
        count = len(edited.collectors[1].datagrams)
        wait_until(lambda: len(edited.collectors[1].datagrams) > count + 30, TIMEOUT_S)
    assert (states, left) == (["Ann", "Bea"], ["Bea"])
    anns, beas = edited.packets(0), edited.packets(1)
    check_frames(edited, 0, "Ann")
    check_frames(edited, 1, "Bea")
    assert anns[-1].frame < beas[-1].frame
    last = anns[-1].values
    assert last is not None
    assert not last.any()


def test_a_changed_link_goes_on_at_its_new_target_with_the_next_frame(edited: EditedRun) -> None:
    with edited.running():
        here, there = (f"livelink-face://127.0.0.1:{port}" for port in edited.ports)
        edited.edit(links=[here, there])
        edited.wait_for_notice("changed Ann: links")
        wait_until(lambda: len(edited.collectors[1].datagrams) > 30, TIMEOUT_S)
        edited.edit(links=[there])
        wait_until(lambda: sum("changed Ann: links" in n for n in edited.notices) == 2, TIMEOUT_S)
        names = [link.name for link in edited.controller.subject("Ann").state().links]
    first, second = edited.packets(0), edited.packets(1)
    check_frames(edited, 0, "Ann")
    check_frames(edited, 1, "Ann")
    assert names == [there]
    last = first[-1].values
    assert last is not None
    assert not last.any()
    assert first[-1].frame < second[-1].frame


def test_a_link_that_changes_leaves_no_face_at_rest_where_it_stays(
    edited: EditedRun, tmp_path: Path
) -> None:
    """The jaw is held open by the map, so that a face at rest would show."""
    rigmap = write_rigmap(tmp_path / "open.yaml", 0.5)
    with edited.running():
        here = f"livelink-face://127.0.0.1:{edited.ports[0]}"
        edited.edit(links=[f"{here}?rigmap={rigmap}"])
        edited.wait_for_notice("changed Ann: links")
        wait_for_jaw(edited, 0.5)
        there = f"127.0.0.1:{edited.ports[1]}"
        edited.edit(links=[f"{here},{there}?rigmap={rigmap}"])
        wait_until(lambda: sum("changed Ann: links" in n for n in edited.notices) == 2, TIMEOUT_S)
        wait_until(lambda: len(edited.collectors[1].datagrams) > 30, TIMEOUT_S)
    jaws = [jaw(packet) for packet in edited.packets(0)]
    opened = jaws.index(0.5)
    assert set(jaws[opened:-1]) == {0.5}
    check_frames(edited, 0, "Ann")


def test_an_edited_rig_map_is_compiled_and_used_with_the_next_frame(
    edited: EditedRun, tmp_path: Path
) -> None:
    rigmap = write_rigmap(tmp_path / "hero.yaml", 0.25)
    with edited.running():
        here = f"livelink-face://127.0.0.1:{edited.ports[0]}"
        edited.edit(links=[f"{here}?rigmap={rigmap}"])
        wait_for_jaw(edited, 0.25)
        write_rigmap(rigmap, 0.75)
        edited.wait_for_notice("the rig maps of Ann")
        wait_for_jaw(edited, 0.75)
        rigmap.write_text("extends: arkit\ncurves:\n  JawOpn: {offset: 1}\n", encoding="utf-8")
        edited.wait_for_notice(f"{rigmap}:3:3: livelinkface61 has no curve `JawOpn`")
    jaws = [jaw(packet) for packet in edited.packets(0)]
    assert jaws[-2] == 0.75
    check_frames(edited, 0, "Ann")


def test_a_take_keeps_its_subjects_and_curves_and_what_waits_comes_after_it(
    edited: EditedRun, tmp_path: Path
) -> None:
    rigmap = write_rigmap(tmp_path / "hero.yaml", 0.25)
    here = f"livelink-face://127.0.0.1:{edited.ports[0]}?rigmap={rigmap}"
    edited.config["subjects"] = [
        edited.subject("Ann", 0) | {"links": [here]},
        edited.subject("Bea", 1),
    ]
    edited.save()
    with edited.running():
        wait_for_jaw(edited, 0.25)
        edited.controller.takes.start("Slate", 1)
        write_rigmap(rigmap, 0.75)
        edited.wait_for_notice("the take keeps its curves")
        wait_for_jaw(edited, 0.75)
        edited.config["subjects"].pop(1)
        edited.config["lookahead_ms"] = 120
        edited.save()
        notice = edited.wait_for_notice("waits for the end of the take")
        present = [subject.name for subject in edited.controller.subjects]
        recorded = edited.controller.takes.stop()
        edited.wait_for_notice("changed lookahead_ms; removed Bea")
        state = edited.controller.subject("Ann").state()
        edited.controller.takes.start("Slate", 2)
        wait_until(lambda: recorded_s(edited) > 0.5, TIMEOUT_S)
        second = edited.controller.takes.stop()
    assert "lookahead_ms; the removal of Bea" in notice
    assert present == ["Ann", "Bea"]
    assert state.lookahead_ms == 120
    assert [recorded_jaws(path) for path in recorded.curves[:1]] == [{0.25}]
    assert (len(recorded.curves), len(second.curves)) == (2, 1)
    assert recorded_jaws(second.curves[0]) == {0.75}
    document = json.loads((recorded.folder / "take.json").read_text(encoding="utf-8"))
    assert [subject["subject"] for subject in document["subjects"]] == ["Ann", "Bea"]


def test_a_flag_goes_on_overriding_the_file(tmp_path: Path, weights: Path) -> None:
    with receiver() as source, receiver() as other:
        collectors = [PacketCollector(source), PacketCollector(other)]
        edited = EditedRun(tmp_path, weights, collectors, emotion="sad:0.3")
        try:
            with edited.running():
                edited.edit(emotion={"happy": 0.9}, alive={"gaze": 0.2})
                notice = edited.wait_for_notice("changed Ann")
                mix = edited.controller.subject("Ann").mix
        finally:
            for collector in collectors:
                collector.packets()
    assert notice.endswith("changed Ann: alive.gaze")
    assert mix == {"sad": pytest.approx(0.3)}


def test_a_config_that_is_not_to_be_watched_is_left_alone(edited: EditedRun) -> None:
    with edited.running():
        edited.config["watch"] = False
        edited.edit(emotion={"happy": 0.4})
        edited.wait_for_notice("is not watched any more")
        assert edited.controller.subject("Ann").mix == {"happy": 0.4}
        assert not [t for t in threading.enumerate() if t.name == "config" and t.is_alive()]


def test_a_browser_is_told_of_a_new_subject_before_its_first_frame(edited: EditedRun) -> None:
    edited.config["preview"] = "127.0.0.1:0"
    edited.save()
    with edited.running():
        url = edited.wait_for_notice("the preview is at").rpartition(" ")[2]
        with connect(
            f"{url.replace('http', 'ws', 1)}live", origin=Origin(url.rstrip("/"))
        ) as client:
            assert introduced(client) == ["Ann"]
            edited.config["subjects"].append(edited.subject("Bea", 1))
            edited.save()
            assert introduced(client) == ["Ann", "Bea"]
            frame = next(data for data in client if isinstance(data, bytes))
    assert HEADER.unpack_from(frame)[1] == 2


def introduced(client: ClientConnection) -> list[str]:
    """Return the subjects of the next introduction on a socket."""
    documents = (json.loads(data) for data in client if isinstance(data, str))
    described = next(document for document in documents if "curves" in document)
    return [subject["name"] for subject in described["subjects"]]


def write_rigmap(path: Path, open_jaw: float) -> Path:
    """Write a map whose jaw is always as open."""
    text = f"extends: arkit\ncurves:\n  JawOpen: {{from: {{}}, offset: {open_jaw}}}\n"
    path.write_text(text, encoding="utf-8")
    return path


def jaw(packet: Packet) -> float:
    assert packet.values is not None
    return round(float(packet.values[ARKIT_CURVES.index("JawOpen")]), 4)


def wait_for_jaw(edited: EditedRun, opening: float) -> None:
    """Wait until the first port has packets with a jaw as open as this."""
    from cstalk_bridge.outputs.livelink_face import decode

    def is_there() -> bool:
        return any(jaw(decode(each)) == opening for each in edited.collectors[0].datagrams[-5:])

    wait_until(is_there, TIMEOUT_S)


def recorded_s(edited: EditedRun) -> float:
    take = edited.controller.takes.recorder.take
    return 0.0 if take is None else take.duration_s


def recorded_jaws(path: Path) -> set[float]:
    lines = path.read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("JawOpen")
    return {round(float(line.split(",")[column]), 4) for line in lines[1:]}
