"""Put the curves of a take on an animation sequence of a MetaHuman's face, in Unreal's editor.

NOT TESTED IN A RUNNING EDITOR: reading the files is tested; the calls to `unreal` follow Epic's
reference of the Python API (AnimSequenceFactory, AnimationDataController, AnimationLibrary) for
Unreal 5.4 and later (Python 3.11). Reports are welcome.

1. Make the file: `cstalk-bridge render speech.wav -o takes --format metahuman-json` (or -csv).
2. Enable the plugin *Python Editor Script Plugin*, and put this file into the folder
   `Content/Python` of the project.
3. In the *Output Log*, set to *Python*:

       import unreal_import
       unreal_import.import_take(r"C:/takes/speech.metahuman.json", "/Game/Takes", skeleton=
           "/Game/MetaHumans/Common/Face/Face_Archetype_Skeleton.Face_Archetype_Skeleton")

The sequence then plays on the MetaHuman's face mesh: drag it onto the Face track in Sequencer. Its
keys are linear, one per frame, and its sampling rate is the take's. A curve that is zero throughout
gets no keys. The head is among the curves: `HeadControlSwitch` and six for its pose.
"""

from __future__ import annotations

import csv
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_FORMAT = "cstalk-curves"
JSON_VERSION = 1


@dataclass(frozen=True)
class Curves:
    """The curves of a take: `values` by name, one each at `times_s`; `rate` frames a second."""

    name: str
    rate: tuple[int, int]
    times_s: list[float]
    values: dict[str, list[float]]

    def moving(self) -> dict[str, list[float]]:
        """Return the curves which are not zero throughout."""
        return {name: keys for name, keys in self.values.items() if any(keys)}


def read_curves(path: str | Path) -> Curves:
    """Read what `render` wrote as metahuman-json or metahuman-csv.

    ValueError for anything else, a line that is too short, and an empty take.
    """
    path = Path(path)
    is_json = path.suffix.lower() == ".json"
    names, rate, frames = (_read_json if is_json else _read_csv)(path)
    if not frames:
        raise ValueError(f"{path}: it holds no frames")
    if any(len(frame) != 2 + len(names) for frame in frames):
        raise ValueError(f"{path}: a frame does not have {len(names)} curves")
    _, times_s, *columns = (list(column) for column in zip(*frames, strict=True))
    return Curves(asset_name(path), rate, times_s, dict(zip(names, columns, strict=True)))


def asset_name(path: Path) -> str:
    """Return a name which Unreal takes for an asset: letters, digits and `_`."""
    stem = path.name.split(".metahuman.")[0]
    return "A_" + re.sub(r"[^0-9A-Za-z_]", "_", stem)


def import_take(path: str | Path, folder: str, *, skeleton: str) -> object:
    """Make an animation sequence in a folder of the project and return it.

    `skeleton` is the path of the face's skeleton asset. An asset of that name must not be there.
    """
    import unreal

    curves = read_curves(path)
    factory = unreal.AnimSequenceFactory()
    factory.set_editor_property("target_skeleton", unreal.load_asset(skeleton))
    tools = unreal.AssetToolsHelpers.get_asset_tools()
    with default_rate(curves.rate):
        sequence = tools.create_asset(curves.name, folder, unreal.AnimSequence, factory)
    if sequence is None:
        raise RuntimeError(f"{folder}/{curves.name} cannot be created: is it there already?")
    controller = sequence.controller
    controller.open_bracket("Import a take of CSTalk Bridge", should_transact=False)
    controller.set_frame_rate(unreal.FrameRate(*curves.rate), should_transact=False)
    last = unreal.FrameNumber(max(1, len(curves.times_s) - 1))
    controller.set_number_of_frames(last, should_transact=False)
    controller.close_bracket(should_transact=False)
    for name, values in curves.moving().items():
        kind = unreal.RawCurveTrackTypes.RCT_FLOAT
        unreal.AnimationLibrary.add_curve(sequence, name, kind, meta_data_curve=False)
        unreal.AnimationLibrary.add_float_curve_keys(sequence, name, curves.times_s, values)
    unreal.EditorAssetLibrary.save_loaded_asset(sequence, only_if_is_dirty=False)
    unreal.log(f"{folder}/{curves.name}: {len(curves.moving())} curves, {len(curves.times_s)} keys")
    return sequence


@contextmanager
def default_rate(rate: tuple[int, int]) -> Iterator[None]:
    """Make `rate` the project's rate of new animations meanwhile.

    The factory gives it to a sequence when it makes one, and a rate that does not divide into it is
    refused afterwards.
    """
    import unreal

    settings = unreal.get_default_object(unreal.AnimationSettings)
    before = settings.get_editor_property("default_frame_rate")
    settings.set_editor_property("default_frame_rate", unreal.FrameRate(*rate))
    try:
        yield
    finally:
        settings.set_editor_property("default_frame_rate", before)


def _read_json(path: Path) -> tuple[list[str], tuple[int, int], list[list[float]]]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("format") != JSON_FORMAT:
        raise ValueError(f"{path}: it is no file of metahuman-json")
    if data.get("version") != JSON_VERSION:
        raise ValueError(f"{path}: version {data.get('version')}, this script reads {JSON_VERSION}")
    rate = data["rate"]
    return data["curves"], (rate["numerator"], rate["denominator"]), data["frames"]


def _read_csv(path: Path) -> tuple[list[str], tuple[int, int], list[list[float]]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    if header[:2] != ["Frame", "Time"]:
        raise ValueError(f"{path}: it is no file of metahuman-csv")
    frames = [[float(cell) for cell in line] for line in lines]
    return header[2:], _rate_of([frame[1] for frame in frames]), frames


def _rate_of(times_s: list[float]) -> tuple[int, int]:
    """Return the frame rate of times with six decimals: whole, or a whole one times 1000/1001."""
    if len(times_s) < 2:
        return 60, 1
    hz = (len(times_s) - 1) / (times_s[-1] - times_s[0])
    whole = round(hz)
    drift = abs(hz - whole) / whole
    return (whole, 1) if drift < 0.0005 else (1000 * whole, 1001)
