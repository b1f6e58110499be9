"""Make more speech for training.

    python -m models.training.synthesis --voices package/voices --out ../kokoro_more

speaks Kathleen's sentences in 240 voices and writes `<out>/<voice>__<sentence>.opus` and
`index.jsonl`, one line a clip: what `models.training.prepare --more-speech <out>` reads. The plan
is always the same, and a run goes on where an earlier one stopped; one run a folder at a time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from models.timing import SAMPLE_RATE_HZ
from models.training.align import index_lines
from models.training.contents import write_whole
from models.training.sources import require
from models.training.synthesis.plan import ROUNDS, SPEAKERS, lines, speakers
from models.training.synthesis.voice_model import (
    RATE_HZ,
    MissingPartError,
    VoiceModel,
    pronounce,
    style_of,
    symbols,
    voices_in,
    write_model,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from models.training.synthesis.plan import Line

SYMBOLS = range(6, 400)  # the model's voices are made for so many
PEAK = 0.6


class Studio:
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
        write_whole(out / "index.jsonl", text)
    return {line["file"] for line in known}, sum(line["seconds"] for line in known) / 60


def make(
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
        studio = Studio(options.out, options.voices, model)
        plan = lines(speakers(list(studio.voices), SPEAKERS), texts, ROUNDS)
        make(plan, options.out, studio.record, options.minutes)
    except MissingPartError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
