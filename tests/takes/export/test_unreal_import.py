"""docs/unreal_import.py without an editor: it reads exported files."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.export.formats import FORMATS, export_take
from cstalk_bridge.takes.export.tables import ExportConfig
from cstalk_bridge.takes.take import curves
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.takes.takes import moving_take

SCRIPT = Path(__file__).resolve().parents[3] / "docs" / "unreal_import.py"


@pytest.fixture(scope="module")
def program() -> Any:
    spec = importlib.util.spec_from_file_location("unreal_import", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rate", sorted(FRAME_RATES))
@pytest.mark.parametrize("format_id", ["metahuman-json", "metahuman-csv"])
def test_the_unreal_program_reads_the_exported_curves(
    program: Any, tmp_path: Path, format_id: str, rate: str
) -> None:
    path = tmp_path / f"Söhne & Töchter{FORMATS[format_id].suffix}"
    settings = ExportConfig(rate=FRAME_RATES[rate])
    path.write_bytes(b"".join(export_take(moving_take(), format_id, settings)))
    read = program.read_curves(path)
    rigmap = load_rigmap("metahuman_animation")
    expected = curves(moving_take().at(FRAME_RATES[rate]), rigmap)
    assert read.name == "A_S_hne___T_chter"
    assert read.rate == (FRAME_RATES[rate].numerator, FRAME_RATES[rate].denominator)
    np.testing.assert_allclose(
        read.times_s, np.arange(len(expected)) / read.rate[0] * read.rate[1], atol=1e-6
    )
    assert list(read.values) == list(rigmap.outputs)
    np.testing.assert_allclose(np.array(list(read.values.values())).T, expected, atol=1e-6)
    still = {
        name for name, column in zip(rigmap.outputs, expected.T, strict=True) if not column.any()
    }
    assert set(read.values) - set(read.moving()) == still
    constant = {"HeadControlSwitch", *(f"CTRL_expressions_noseWrinkleUpper{side}" for side in "LR")}
    assert constant < set(read.moving())


class Editor(types.ModuleType):
    """The part of Unreal's Python API that is called: a sequence keeps the rate it is made with."""

    class FrameRate(tuple):  # type: ignore[type-arg]
        def __new__(cls, *rate: int) -> Editor.FrameRate:
            return super().__new__(cls, rate)

    def __init__(self) -> None:
        super().__init__("unreal")
        self.AnimationSettings = self.AnimSequence = object
        self.settings = {"default_frame_rate": self.FrameRate(30, 1)}
        self.made: list[tuple[str, Any]] = []
        self.keys: dict[str, int] = {}
        settings = types.SimpleNamespace(
            get_editor_property=self.settings.__getitem__,
            set_editor_property=self.settings.__setitem__,
        )
        nothing = types.SimpleNamespace(set_editor_property=lambda *_: None)
        controller = types.SimpleNamespace(
            open_bracket=lambda *_, **__: None,
            close_bracket=lambda **__: None,
            set_frame_rate=lambda rate, **__: self.made.append(("set", rate)),
            set_number_of_frames=lambda frames, **__: self.made.append(("frames", frames)),
        )

        def create(name: str, *_: object) -> types.SimpleNamespace:
            self.made.append((name, self.settings["default_frame_rate"]))
            return types.SimpleNamespace(controller=controller)

        self.get_default_object = lambda _: settings
        self.AnimSequenceFactory = lambda: nothing
        self.AssetToolsHelpers = types.SimpleNamespace(
            get_asset_tools=lambda: types.SimpleNamespace(create_asset=create)
        )
        self.load_asset = self.log = self.FrameNumber = lambda value: value
        self.RawCurveTrackTypes = types.SimpleNamespace(RCT_FLOAT=0)
        self.AnimationLibrary = types.SimpleNamespace(
            add_curve=lambda *_, **__: None,
            add_float_curve_keys=lambda _, name, times, __: self.keys.update({name: len(times)}),
        )
        self.EditorAssetLibrary = types.SimpleNamespace(save_loaded_asset=lambda *_, **__: None)


def test_a_sequence_has_the_rate_of_its_take(
    program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = Editor()
    monkeypatch.setitem(sys.modules, "unreal", editor)
    path = tmp_path / "speech.metahuman.json"
    take, rate = moving_take(), FRAME_RATES["24"]
    path.write_bytes(b"".join(export_take(take, "metahuman-json", ExportConfig(rate=rate))))
    program.import_take(path, "/Game/Takes", skeleton="/Game/Face")
    rows = take.at(rate).rows
    assert editor.made == [("A_speech", (24, 1)), ("set", (24, 1)), ("frames", rows - 1)]
    assert editor.settings["default_frame_rate"] == (30, 1), "the project keeps its own"
    assert {"HeadControlSwitch", "HeadRoll"} < set(editor.keys)
    assert set(editor.keys.values()) == {rows}


def test_the_unreal_program_reports_what_it_cannot_read(program: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="no file of metahuman-json"):
        program.read_curves(path)
    path.write_text('{"format": "cstalk-curves", "version": 9}', encoding="utf-8")
    with pytest.raises(ValueError, match="version 9, this script reads 1"):
        program.read_curves(path)
    path = tmp_path / "other.csv"
    path.write_text("Timecode,BlendshapeCount\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no file of metahuman-csv"):
        program.read_curves(path)
    path.write_text("Frame,Time,a\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no frames"):
        program.read_curves(path)
    path.write_text("Frame,Time,a\n0,0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="does not have 1 curves"):
        program.read_curves(path)
