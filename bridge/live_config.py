"""Applies changes of the config file and of rig maps to the running bridge.

A thread looks at the files; an edit with a mistake changes nothing. What can fail is opened and
compiled there first. The inference thread and the tick thread then take it over between two of
their steps, so that no packet is late or missing. Values that were changed by remote control stay
until the file itself has another value.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cstalk_bridge.audio.inputs import open_source
from cstalk_bridge.config.watch import (
    POLL_S,
    FileWatch,
    config_changes,
    config_values,
    subjects_of,
    value_of,
)
from cstalk_bridge.control.live_settings import LIVE_SETTINGS
from cstalk_bridge.face.emotion import VoiceWeights, check_face_settings, chosen_weights
from cstalk_bridge.face.inference import open_emotion_estimator
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.protocol import listening
from cstalk_bridge.rig.load import load_rigmap, rigmap_files
from cstalk_bridge.settings.declaration import Effect
from cstalk_bridge.settings.table import setting
from cstalk_bridge.subjects import OutputFactory, open_subject, open_subject_source, retire
from cstalk_bridge.system.worker import SERVER_STOP_TIMEOUT_S, Worker
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from cstalk_bridge.audio.source import Source
    from cstalk_bridge.config.load import ConfigFile
    from cstalk_bridge.config.schema import Config, SubjectConfig
    from cstalk_bridge.config.watch import ConfigChanges, SettingPlace
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.server import ControlService
    from cstalk_bridge.control.subject_controller import SubjectController
    from cstalk_bridge.face.inference import InferenceLoop
    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.outputs.protocol import LinkConfig
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.runtime import Runtime, TickLoop
    from cstalk_bridge.subjects import OpenLink, OpenSubject, Outputs


TAKE_OVER_S = 5.0
"""How long a thread may take until it takes something over; it does so at its next step."""

MAX_REPORTED = 8
"""Mistakes of one edit that are reported one by one."""

GATE = "audio.gate"

SOURCE_KEYS = ("audio.input", "audio.channel")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class RunParts:
    """The parts of a run that a change of its config concerns; `subjects` is changed in place."""

    runtime: Runtime
    subjects: list[OpenSubject]
    inference: InferenceLoop
    ticks: TickLoop
    metrics: Metrics
    controller: Controller
    control: ControlService

    def change_input(self, name: str, wanted: str) -> None:
        """Open another audio input for a subject, and hear it from then on; takes a moment.

        UserError where it cannot be opened, which changes nothing. The config file keeps its own,
        which counts again where an edit changes it.
        """
        each = next(each for each in self.subjects if each.subject.name == name)
        voice = each.subject.voice
        config = voice.config.model_copy(update={"input": wanted, "channel": None})
        opened = open_source(
            config,
            now=host_now,
            wake=self.runtime.wake,
            is_full_band=each.subject.passthrough is not None,
        )
        before, change = voice.source, self.inference.change_source
        if not self.inference.calls.call(
            partial(change, voice, opened.source, config), TAKE_OVER_S
        ):
            opened.source.close()
            raise UserError(Problem(name, "the run is ending", "start it again"))
        before.close()
        self.runtime.recorder.arrange([other.recording for other in self.subjects])
        if opened.notice:
            self.metrics.notice(host_now(), opened.notice, name)


@dataclass(slots=True)
class PreparedEdit:
    """An edit, with all that could fail done: what to take over, and what to say."""

    config: Config
    changes: ConfigChanges
    rigmaps: Mapping[str, RigMap]
    is_recording: bool
    """Whether a take is being recorded, which it must leave as it is."""
    added: dict[str, OpenSubject] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    outputs: dict[str, Outputs] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    notices: list[tuple[str, str]] = field(default_factory=list)
    """Subjects, "" for all, and lines about them."""
    done: list[SettingPlace] = field(default_factory=list)
    """The settings that it changes at once."""
    late: list[str] = field(default_factory=list)
    """What waits for the end of a take."""
    at_start: list[str] = field(default_factory=list)
    """What needs a restart."""


class LiveConfig:
    """Follows the config file of a run, from entering to leaving."""

    def __init__(self, file: ConfigFile, config: Config, parts: RunParts) -> None:
        self._file = file
        self._parts = parts
        self._values = config_values(config)
        """The values in effect as files have them, whatever was changed live since."""
        self._reported: dict[SettingPlace, Any] = dict(self._values)
        """The values of the last edit that was applied, as far as it could be."""
        self._postponed: Config | None = None
        """A config that is to be applied again after the take."""
        self._stale: set[str] = set()
        """Rig maps whose files have changed and are not in use yet."""
        self._watch = FileWatch(self._paths(config), {file.watched: file.mark})
        self._worker = Worker(
            "config", self._run, timeout_s=SERVER_STOP_TIMEOUT_S, failed=self._report_failure
        )

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def _run(self) -> None:
        while not self._worker.wait(POLL_S):
            if changed := self._watch.look():
                self._read_again(changed)
            elif not self._is_recording:
                self._catch_up()

    def _catch_up(self) -> None:
        """Apply what waited for the end of a take."""
        if self._postponed is not None:
            self._apply(self._postponed, "after the take")
        behind = [each for each in self._parts.subjects if each.is_behind]
        for each in behind:
            change = partial(each.change_outputs, each.outputs, is_recorded=False)
            self._parts.ticks.calls.call(change, TAKE_OVER_S)

    @property
    def _is_recording(self) -> bool:
        return self._parts.runtime.recorder.take is not None

    def _read_again(self, changed: frozenset[Path]) -> None:
        """Apply the files as they are now; report why that cannot be done."""
        name = ", ".join(sorted(map(str, changed)))
        in_use = self._maps_in_use()
        self._stale |= {one for one in in_use if not changed.isdisjoint(rigmap_files(one))}
        try:
            config = self._file.read_again()
        except UserError as error:
            self._reject(name, [*error.problems, *self._faults()])
            return
        self._watch.follow(self._paths(config))
        self._apply(config, name)

    def _apply(self, config: Config, name: str) -> None:
        try:
            with ExitStack() as undoing:
                edit = self._prepared(config, undoing)
                self._take_over(edit)
                undoing.pop_all()
        except UserError as error:
            self._reject(name, error.problems)
            return
        self._postponed = config if edit.late else None
        self._reported = config_values(config)
        self._stale.clear()
        self._parts.metrics.config_fault = ""
        self._report(name, edit)
        if not config.watch:
            self._notice(f"{self._file.shown} is not watched any more")
            self._worker.request_stop()

    # What may fail, on the thread of this class.

    def _prepared(self, config: Config, undoing: ExitStack) -> PreparedEdit:
        """Return the edit that leads to a config; `undoing` closes what it opened. UserError."""
        rigmaps = self._compiled(config)
        changes = config_changes(self._values, config_values(config))
        edit = PreparedEdit(config, changes, rigmaps, self._is_recording)
        new = subjects_of(config)
        check_face_settings(self._parts.runtime.model, new)
        self._check_emotions(new)
        self._sort(edit)
        for each in self._parts.subjects:
            if each.subject.name in new:
                self._prepare_outputs(edit, each, new[each.subject.name], undoing)
        for name in changes.added:
            self._prepare_subject(edit, new[name], undoing)
        for name in {change.subject for change in changes.settings if _is_source(change.place)}:
            if not edit.is_recording and name in self._running:
                self._prepare_source(edit, new[name], undoing)
        return edit

    def _compiled(self, config: Config) -> dict[str, RigMap]:
        """Return the rig maps of all links by their names. UserError with every problem."""
        known = self._parts.runtime.rigmaps
        fresh: dict[str, RigMap] = {}
        problems: list[Problem] = []
        for name in _rigmap_names(config):
            try:
                is_known = name in known and name not in self._stale
                fresh[name] = known[name] if is_known else load_rigmap(name)
            except UserError as error:
                problems += error.problems
        if problems:
            raise UserError.of(problems)
        return fresh

    def _faults(self) -> Iterator[Problem]:
        """Yield what is wrong with the rig maps whose files have changed."""
        for name in sorted(self._stale):
            try:
                load_rigmap(name)
            except UserError as error:
                yield from error.problems

    def _check_emotions(self, subjects: Mapping[str, SubjectConfig]) -> None:
        """Raise UserError for emotions that the network does not know, or that cannot be used."""
        problems = []
        for name, subject in subjects.items():
            try:
                self._parts.runtime.model.emotion_vector(chosen_weights(subject.emotion))
            except ValueError as error:
                problems.append(Problem(name, str(error)))
        if problems:
            raise UserError.of(problems)
        for subject in subjects.values():
            open_emotion_estimator(VoiceWeights.of(subject.emotion))

    def _sort(self, edit: PreparedEdit) -> None:
        """Note which changes count now, after the take, or after a restart."""
        for change in edit.changes.settings:
            effect = change.setting.effect
            if effect is Effect.AT_START:
                if self._reported.get(change.place) != change.value:
                    edit.at_start.append(change.label)
            elif effect is Effect.BETWEEN_TAKES and edit.is_recording:
                edit.late.append(change.label)
            else:
                edit.done.append(change.place)
        for name in edit.changes.removed:
            if listening(self._links_of(name)):
                edit.at_start.append(f"{name}: to remove a subject of a MetaHuman device")
            elif edit.is_recording:
                edit.late.append(f"the removal of {name}")
            else:
                edit.removed = (*edit.removed, name)

    def _prepare_outputs(
        self, edit: PreparedEdit, each: OpenSubject, subject: SubjectConfig, undoing: ExitStack
    ) -> None:
        """Open the links of a subject where they, or their rig maps, are others."""
        before = each.outputs
        kept = [link.config for link in before.links if listening([link.config])]
        wanted = [link for link in subject.links if not listening([link])]
        if sorted(map(str, listening(subject.links))) != sorted(map(str, kept)):
            edit.at_start.append(f"{subject.name}: a link that listens (metahuman://)")
        links = [*(link for link in subject.links if link in kept or link in wanted)]
        links += [link for link in kept if link not in links]
        maps = {link.rigmap: edit.rigmaps.get(link.rigmap) or self._map(link) for link in links}
        for link in before.links:
            if listening([link.config]) and maps[link.config.rigmap].outputs != link.rigmap.outputs:
                maps[link.config.rigmap] = link.rigmap
                edit.at_start.append(f"{subject.name}: other curves of {link.config.rigmap}")
        is_same = [link.config for link in before.links] == links and all(
            before.rigmaps.get(name) is rigmap for name, rigmap in maps.items()
        )
        if is_same:
            return
        factory = OutputFactory(edit.config, self._parts.runtime)
        outputs = factory.open(subject.name, links, maps, before)
        for opened in before_and_after(outputs, before):
            undoing.callback(opened.link.close)
        edit.outputs[subject.name] = outputs

    def _prepare_subject(
        self, edit: PreparedEdit, subject: SubjectConfig, undoing: ExitStack
    ) -> None:
        if listening(subject.links):
            edit.at_start.append(f"{subject.name}: a subject of a MetaHuman device")
            return
        number = len(self._parts.subjects)
        opened = open_subject(subject, edit.config, self._parts.runtime, number, edit.rigmaps)
        undoing.callback(self._discard, opened)
        edit.added[subject.name] = opened
        if opened.subject.passthrough is not None:
            opened.subject.passthrough.start(partial(self._notice, subject=opened.subject.name))
        if opened.subject.notice:
            edit.notices.append((subject.name, opened.subject.notice))

    def _discard(self, opened: OpenSubject) -> None:
        opened.close()
        self._arrange_recorder()

    def _prepare_source(
        self, edit: PreparedEdit, subject: SubjectConfig, undoing: ExitStack
    ) -> None:
        source, notice = open_subject_source(subject, self._parts.runtime)
        undoing.callback(source.close)
        edit.sources[subject.name] = source
        if notice:
            edit.notices.append((subject.name, notice))

    # What the threads of the face take over.

    def _take_over(self, edit: PreparedEdit) -> None:
        """Change what runs. UserError where a thread does not answer, as at the end of a run."""
        parts, new = self._parts, subjects_of(edit.config)
        before, outputs_before = list(parts.subjects), self._outputs_of(edit)
        running = {**self._running, **edit.added}
        order = [running[name] for name in new if name in running]
        order += [each for each in before if each not in order]
        staying = [each for each in order if each.subject.name not in edit.removed]
        if edit.added:
            self._call_inference(order)
        self._call(parts.ticks, partial(self._swap, edit, staying))
        parts.subjects[:] = staying
        self._arrange_recorder()
        parts.controller.change_subjects([each.subject for each in staying])
        if edit.removed:
            self._call_inference(staying)
        for name, source in edit.sources.items():
            self._change_source(running[name], source, new[name])
        for name, earlier in outputs_before.items():
            retire(earlier.retired(edit.outputs[name]), edit.outputs[name].links)
        for each in order:
            if each not in staying:
                each.close()
        self._set_values(edit)
        parts.runtime.rigmaps.update(edit.rigmaps)

    def _swap(self, edit: PreparedEdit, staying: Sequence[OpenSubject]) -> None:
        """Show these subjects by their outputs from this tick on; on the tick thread."""
        parts, is_recorded = self._parts, self._is_recording
        for each in staying:
            if (outputs := edit.outputs.get(each.subject.name)) is not None:
                each.change_outputs(outputs, is_recorded=is_recorded)
        if [each.subject for each in staying] == list(parts.ticks.subjects):
            return
        subjects = [each.subject for each in staying]
        parts.ticks.subjects = tuple(subjects)
        parts.metrics.subjects = tuple(subject.metrics for subject in subjects)
        if (preview := parts.runtime.preview) is not None and preview.hub is not None:
            preview.hub.arrange([subject.name for subject in subjects])
            for place, each in enumerate(staying):
                if each.preview is not None:
                    each.preview.place = place

    def _call_inference(self, subjects: Sequence[OpenSubject]) -> None:
        voices = [each.subject.voice for each in subjects]
        metrics = [each.subject.metrics for each in subjects]
        inference = self._parts.inference
        self._call(inference, partial(inference.change_voices, voices, metrics))

    def _change_source(self, each: OpenSubject, source: Source, subject: SubjectConfig) -> None:
        voice, inference = each.subject.voice, self._parts.inference
        before = voice.source
        self._call(inference, partial(inference.change_source, voice, source, subject.audio))
        before.close()

    def _call(self, loop: InferenceLoop | TickLoop, function: Any) -> None:
        if not loop.calls.call(function, TAKE_OVER_S):
            raise UserError(Problem(self._file.shown, "the run is ending", "start it again"))

    def _set_values(self, edit: PreparedEdit) -> None:
        """Set the values that are no parts, by the controllers, which report them then."""
        new = subjects_of(edit.config)
        for subject, keys in _by_subject(edit.done).items():
            try:
                if subject in self._running and subject in new:
                    self._set_all(self._running[subject], new[subject], keys)
                elif "lookahead_ms" in keys:
                    for controller in self._parts.controller.subjects:
                        controller.lookahead(edit.config.lookahead_ms)
            except UserError as error:
                self._notice(str(error))
        touched = {key for _, key in edit.done}
        if "emotions" in touched or edit.added or edit.removed:
            keyframes = {name: subject.emotions.root for name, subject in new.items()}
            self._parts.control.change_cues(keyframes)
        values = config_values(edit.config)
        for place in edit.done:
            self._values[place] = values[place]
        gone, added = set(edit.removed), set(edit.added)
        self._values = {
            **{place: value for place, value in self._values.items() if place[0] not in gone},
            **{place: value for place, value in values.items() if place[0] in added},
        }

    def _set_all(self, each: OpenSubject, new: SubjectConfig, keys: Sequence[str]) -> None:
        """Set values of a subject; those of its gate at once, as they depend on one another."""
        controller = self._parts.controller.subject(new.name)
        for key in keys:
            self._set(controller, each, new, key)
        gate = {setting(key).name: value_of(new, key) for key in keys if key.startswith(f"{GATE}.")}
        if gate:
            controller.gate(**gate)

    def _set(
        self, controller: SubjectController, each: OpenSubject, new: SubjectConfig, key: str
    ) -> None:
        """Set one value of a subject."""
        group = key.rpartition(".")[0]
        if key == "emotion":
            controller.emotion(chosen_weights(new.emotion))
            weights, before = VoiceWeights.of(new.emotion), controller.voice_weights
            if weights.auto != before.auto:
                controller.auto(weights.auto)
            if weights.arousal != before.arousal:
                controller.arousal(weights.arousal)
        elif group == "alive":
            controller.level(setting(key).name, value_of(new, key))
        elif key == "rest":
            each.subject.performer.change_policies(new.rest.policies)
        elif key in LIVE_SETTINGS and group != GATE:
            LIVE_SETTINGS[key].change(controller, value_of(new, key), None)

    def _arrange_recorder(self) -> None:
        self._parts.runtime.recorder.arrange([each.recording for each in self._parts.subjects])

    @property
    def _running(self) -> dict[str, OpenSubject]:
        return {each.subject.name: each for each in self._parts.subjects}

    def _outputs_of(self, edit: PreparedEdit) -> dict[str, Outputs]:
        return {name: self._running[name].outputs for name in edit.outputs}

    def _links_of(self, name: str) -> list[LinkConfig]:
        return [link.config for link in self._running[name].outputs.links]

    def _map(self, link: LinkConfig) -> RigMap:
        return self._parts.runtime.rigmap(link.rigmap)

    def _maps_in_use(self) -> set[str]:
        names = (link.config.rigmap for each in self._parts.subjects for link in each.outputs.links)
        return set(names)

    def _paths(self, config: Config) -> list[Path]:
        """Return the files to watch: the config's, and those of its rig maps."""
        paths = [self._file.watched]
        for name in {*_rigmap_names(config), *self._maps_in_use()}:
            paths += rigmap_files(name) or ([Path(name)] if Path(name).suffix else [])
        return paths

    # What the user is told.

    def _report(self, name: str, edit: PreparedEdit) -> None:
        changed = [
            f"{subject}: {', '.join(keys)}" if subject else ", ".join(keys)
            for subject, keys in _by_subject(edit.done).items()
        ]
        if not changed and edit.outputs:
            changed = [f"the rig maps of {', '.join(edit.outputs)}"]
        parts = [f"changed {'; '.join(changed)}"] if changed else []
        parts += [f"added {', '.join(edit.added)}"] if edit.added else []
        parts += [f"removed {', '.join(edit.removed)}"] if edit.removed else []
        if parts:
            self._notice(f"{name}: {'; '.join(parts)}")
        if edit.late:
            self._notice(f"{name}: waits for the end of the take: {'; '.join(edit.late)}")
        if any(self._running[subject].is_behind for subject in edit.outputs):
            self._notice("the take keeps its curves; the rig map counts for the next one")
        if edit.added and edit.is_recording:
            self._notice(f"{', '.join(edit.added)}: not in the take that is being recorded")
        if edit.at_start:
            self._notice(f"{name}: needs a restart: {'; '.join(edit.at_start)}")
        if not (parts or edit.late or edit.at_start):
            self._notice(f"{name}: nothing has changed")
        for subject, text in edit.notices:
            self._parts.metrics.notice(host_now(), text, subject)

    def _reject(self, name: str, problems: Sequence[Problem]) -> None:
        """Report the mistakes of an edit, each at its place."""
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        self._parts.metrics.config_fault = f"{name}: {count}"
        self._notice(f"{name}: {count}; nothing was changed")
        for problem in problems[:MAX_REPORTED]:
            self._notice(str(problem))
        if len(problems) > MAX_REPORTED:
            self._notice(f"and {len(problems) - MAX_REPORTED} more")

    def _notice(self, text: str, subject: str = "") -> None:
        self._parts.metrics.notice(host_now(), text, subject)

    def _report_failure(self, error: Exception) -> None:
        self._notice(f"the config is not watched any more ({type(error).__name__}: {error})")


def before_and_after(after: Outputs, before: Outputs) -> tuple[OpenLink, ...]:
    """Return the links that were opened for the later outputs."""
    return tuple(each for each in after.links if each not in before.links)


def _by_subject(places: Sequence[SettingPlace]) -> dict[str, list[str]]:
    """Return the keys of settings by their subject, "" for those of the bridge."""
    found: dict[str, list[str]] = {}
    for subject, key in places:
        found.setdefault(subject, []).append(key)
    return found


def _rigmap_names(config: Config) -> set[str]:
    return {link.rigmap for subject in config.subjects for link in subject.links}


def _is_source(place: SettingPlace) -> bool:
    return place[1] in SOURCE_KEYS
