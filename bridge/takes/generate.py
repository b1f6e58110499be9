"""Generates a take from a recording, in pieces, so that hours need little memory.

The network generates the face; emotion estimation and procedural animation equal those of a live
run, computed over all rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.audio.source import HOP_S, HOP_SAMPLES
from cstalk_bridge.face.emotion import (
    AROUSAL,
    AUTO,
    NO_VOICE_WEIGHTS,
    VoiceWeights,
    chosen_weights,
)
from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory, estimated_trajectory
from cstalk_bridge.face.procedural.animation import (
    ANIMATED_CHANNELS,
    COUPLED_CHANNELS,
    DEFAULT_LEVELS,
    NO_ANIMATION_LEVELS,
    Levels,
    ProceduralAnimation,
    overlay,
    prepare_boards,
    seed_of,
)
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.prosody import SILENCE, Prosody, ProsodyTracker
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.models.timing import ROW_RATE_HZ, rows_of
from cstalk_bridge.rig.curves import neutral_board
from cstalk_bridge.settings.face import FaceSettings
from cstalk_bridge.settings.table import setting
from cstalk_bridge.system.process import program_version
from cstalk_bridge.takes.sound import network_input, network_input_samples
from cstalk_bridge.takes.take import BLOCK_ROWS, Take, still_head
from cstalk_bridge.timecode.smpte import FRAME_RATES

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.cstalk.streaming import Passes
    from cstalk_bridge.takes.sound import Sound

    Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """How a face is generated: `emotions` over time, and `lookahead_ms` from 0 to 240.

    `mouth_guard` and `seed` are those of the table of settings; a seed of None is drawn from the
    slate. `levels` are those of procedural animation, `voice_weights` the weights of the emotion
    estimated from the voice.
    """

    emotions: EmotionTrajectory = EmotionTrajectory()
    lookahead_ms: float = setting("lookahead_ms").default
    mouth_guard: float = setting("mouth_guard").default
    levels: Levels = DEFAULT_LEVELS
    seed: int | None = None
    voice_weights: VoiceWeights = NO_VOICE_WEIGHTS

    @classmethod
    def of(cls, face: FaceSettings, *, lookahead_ms: float, levels: Levels) -> GenerationConfig:
        """Return it with the settings of a face, neutral."""
        shared = FaceSettings.model_fields.keys() & {entry.name for entry in fields(cls)}
        known = {name: getattr(face, name) for name in shared}
        return cls(lookahead_ms=lookahead_ms, levels=levels, **known)

    def generation(self, **changed: Any) -> GenerationConfig:
        """Return these settings alone, without what a subclass adds, some of them changed."""
        own = {entry.name: getattr(self, entry.name) for entry in fields(GenerationConfig)}
        return GenerationConfig(**{**own, **changed})

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain data; voice weights are called `shares` in files."""
        plain = {entry.name: getattr(self, entry.name) for entry in fields(GenerationConfig)}
        plain["emotions"] = [key.model_dump(mode="json") for key in self.emotions.keys]
        plain["levels"] = asdict(self.levels)
        plain["shares"] = asdict(plain.pop("voice_weights"))
        return plain

    def emotion_weights(self, rows: int) -> NDArray[np.float32]:
        """Return the emotion of each row, float32 [rows, emotions]."""
        return self.emotions.weights(np.arange(rows) / ROW_RATE_HZ)

    @property
    def mix(self) -> dict[str, float]:
        """The mix with which it begins, and which the voice may influence."""
        keys = self.emotions.keys
        begins = dict(keys[0].emotion) if keys and keys[0].at_s == 0.0 else {}
        weights = {AUTO: self.voice_weights.auto, AROUSAL: self.voice_weights.arousal}
        return begins | {name: share for name, share in weights.items() if share}

    def with_emotion(self, mix: Mapping[str, float]) -> GenerationConfig:
        """Return them for a mix that holds all the time, and which the voice may influence."""
        emotions = EmotionTrajectory.constant(chosen_weights(mix))
        return replace(self, emotions=emotions, voice_weights=VoiceWeights.of(mix))


def add_procedural_animation(
    rows: Floats,
    channels: Sequence[str],
    sound: Iterable[Floats],
    emotions: Floats,
    *,
    animation: ProceduralAnimation,
    lookahead_hops: int,
) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return channels, rows and head of a face with procedural animation.

    Rows are float32 [time, channels], heads float32 [time, 6]. `rows` are the generated ones, one
    per hop; `sound` is the audio of all of them at 16 kHz in pieces of any length, `emotions` is
    [time, emotions]. As in a run, the animation follows the audio that generated a row. The
    channels are the given ones and those that are animated.
    """
    animated = tuple(dict.fromkeys((*channels, *COUPLED_CHANNELS, *ANIMATED_CHANNELS)))
    given, kept = ([CHANNEL_INDEX[name] for name in names] for names in (channels, animated))
    faces = np.zeros((len(rows), len(animated)), dtype=np.float32)
    head = still_head(len(rows))
    cues = _cues(_ahead(prosodies(sound), lookahead_hops), emotions)
    for first in range(0, len(rows), BLOCK_ROWS):
        block = slice(first, min(first + BLOCK_ROWS, len(rows)))
        motions = [
            animation.step(HOP_S * row, cue)
            for row, cue in zip(range(block.start, block.stop), cues, strict=False)
        ]
        board = neutral_board(len(motions))
        board[:, given] = rows[block]
        numbers = np.array([motion.values for motion in motions], dtype=np.float32)
        faces[block] = overlay(prepare_boards(board, animation.eased_levels), numbers)[:, kept]
        head[block] = [motion.head for motion in motions]
    return animated, faces, head


def prosodies(sound: Iterable[Floats]) -> Iterator[Prosody]:
    """Yield the prosody of a voice for each hop; a last hop that is not full ends in silence."""
    tracker, left = ProsodyTracker(), np.zeros(0, dtype=np.float32)
    for piece in sound:
        samples = np.concatenate((left, piece))
        whole = len(samples) - len(samples) % HOP_SAMPLES
        yield from tracker.process(samples[:whole])
        left = samples[whole:]
    if len(left):
        yield tracker.step(np.pad(left, (0, HOP_SAMPLES - len(left))))


def _ahead(voice: Iterator[Prosody], hops: int) -> Iterator[Prosody]:
    """Yield a voice from that many hops on, and then its last hop without end."""
    prosody = SILENCE
    for prosody in islice(voice, hops):  # noqa: B007 - the last one counts
        pass
    for prosody in voice:
        yield prosody
    while True:
        yield prosody


def _cues(voice: Iterator[Prosody], emotions: Floats) -> Iterator[Cues]:
    """Yield the cues of each row; rows of one emotion share its array, so that it is known."""
    emotion = None
    for row, prosody in zip(emotions, voice, strict=False):
        if emotion is None or not np.array_equal(row, emotion):
            emotion = row
        yield Cues(prosody, emotion)


OPEN_EYED_S = 0.25
"""Seconds without a blink at both ends of a take, so that takes can be cut together."""

GENERATED_RATE = FRAME_RATES[f"{ROW_RATE_HZ:g}"]
"""Frame rate of a generated take: one frame a hop."""


class StoppedError(Exception):
    """A generation was stopped before its end."""


def with_estimated_emotion(settings: GenerationConfig, sound: Sound) -> GenerationConfig:
    """Return settings whose emotions include that of the voice, by its weights.

    UserError where the recording, or the network for emotion, is damaged.
    """
    from cstalk_bridge.face.inference import open_emotion_estimator

    estimator = open_emotion_estimator(settings.voice_weights)
    if estimator is None:
        return settings
    emotions = estimated_trajectory(
        settings.emotions, settings.voice_weights, network_input(sound), estimator
    )
    return replace(settings, emotions=emotions, voice_weights=NO_VOICE_WEIGHTS)


def generate_sounds(
    generator: Generator,
    sounds: Sequence[Floats],
    weights: Sequence[Floats],
    lookahead_ms: float,
    settings: Sequence[GenerationConfig],
) -> list[Floats]:
    """Return the rows of sounds at 16 kHz in one pass, float32 [rows, channels] each.

    `weights` are those of each row, [rows, emotions], and `settings` those of each sound.
    """
    guards = [entry.mouth_guard for entry in settings]
    return generator.generate_batch(sounds, weights, lookahead_ms, guards)


def generate_take(
    generator: Generator,
    sound: Sound,
    settings: GenerationConfig,
    *,
    slate: str,
    progress: Callable[[float], None] | None = None,
    stop: threading.Event | None = None,
) -> Take:
    """Return the take of a whole recording.

    `progress` is called with the share done, 0 to 1. StoppedError soon after `stop` was set,
    UserError where the sound is damaged, ValueError for a look-ahead out of range and a mouth guard
    that the generator cannot heed.
    """
    settings = with_estimated_emotion(settings, sound)
    rows = rows_of(network_input_samples(sound))
    board = np.zeros((rows, len(generator.channels)), dtype=np.float32)
    if rows:
        passes = generator.passes(
            settings.emotion_weights(rows)[None], settings.lookahead_ms, settings.mouth_guard
        )
        done = 0
        for face in _faces(passes, sound):
            board[done : done + face.shape[1]] = face[0]
            done += face.shape[1]
            if stop is not None and stop.is_set():
                raise StoppedError
            if progress is not None:
                progress(done / rows)
    return assemble_take(generator, board, sound, settings, slate=slate, stop=stop)


def assemble_take(
    generator: Generator,
    board: NDArray[np.float32],
    sound: Sound,
    settings: GenerationConfig,
    *,
    slate: str,
    stop: threading.Event | None = None,
) -> Take:
    """Return the take of generated rows, [time, channels], with procedural animation.

    Raises as `generate_take`.
    """
    seed = seed_of(slate) if settings.seed is None else settings.seed
    channels, head = generator.channels, still_head(len(board))
    if settings.levels != NO_ANIMATION_LEVELS:
        channels, board, head = add_procedural_animation(
            board,
            channels,
            _until_stopped(stop, network_input(sound)),
            settings.emotion_weights(len(board)),
            animation=ProceduralAnimation(
                seed, settings.levels, (OPEN_EYED_S, len(board) / ROW_RATE_HZ - OPEN_EYED_S)
            ),
            lookahead_hops=generator.delay_hops(settings.lookahead_ms),
        )
    return Take(
        slate=slate,
        rate=GENERATED_RATE,
        channels=channels,
        board=board,
        head=head,
        sound=sound,
        emotions=settings.emotions,
        provenance=_provenance(generator, settings, seed),
    )


def weights_id(generator: Generator) -> str:
    """Return what names the weights of a network in takes."""
    return str(generator.card.get("training_hash", ""))[:12]


def level_settings(levels: Levels) -> dict[str, float]:
    """Return levels by the names that they have in takes."""
    return {f"level_{name}": level for name, level in asdict(levels).items()}


def _provenance(
    generator: Generator, settings: GenerationConfig, seed: int
) -> dict[str, str | int | float]:
    provenance: dict[str, str | int | float] = {
        "weights": weights_id(generator),
        "lookahead_ms": settings.lookahead_ms,
        "program": f"cstalk-bridge {program_version()}",
        "seed": seed,
        **level_settings(settings.levels),
    }
    if generator.knows_guard:
        provenance["mouth_guard"] = settings.mouth_guard
    return provenance


def _faces(passes: Passes[Any], sound: Sound) -> Iterator[NDArray[np.float32]]:
    for piece in network_input(sound):
        yield from passes.process(piece[None])
    yield from passes.finish()


def _until_stopped(
    stop: threading.Event | None, sound: Iterator[NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    for piece in sound:
        if stop is not None and stop.is_set():
            raise StoppedError
        yield piece
