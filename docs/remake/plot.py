"""A plot of the bundled recording, spoken happily."""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib.image

from bridge.audio.opening import SPEECH_PATH
from bridge.plot.picture import Job, View, make_picture
from bridge.rig.load import load_rigmap
from bridge.takes.emotions import EmotionCourse
from bridge.takes.generate import generate_take
from bridge.takes.settings import Settings
from bridge.takes.sound import open_sound
from models import load_generator
from remake import small_png

EMOTION = {"happy": 0.6}
START_S, END_S = 2.0, 6.6
CURVES = (
    *("JawOpen", "MouthClose", "MouthPucker", "MouthRollLower"),
    *("MouthSmileLeft", "MouthSmileRight", "CheekSquintLeft", "CheekSquintRight"),
)


def draw_plot(path: Path) -> None:
    """Generate a take and plot some of its curves, as `cstalk-bridge plot` does."""
    settings = Settings(emotions=EmotionCourse.constant(EMOTION))
    view = View(load_rigmap("arkit"), start_s=START_S, end_s=END_S, wanted=CURVES)
    with tempfile.TemporaryDirectory() as folder:
        job = Job((SPEECH_PATH,), Path(folder) / path.name)
        make_picture(
            job,
            view,
            lambda file: generate_take(
                load_generator(), open_sound(file), settings, slate=file.stem
            ),
        )
        small_png.save(matplotlib.image.imread(job.output), path)
