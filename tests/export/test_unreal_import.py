"""What docs/unreal_import.py can do without an editor: read our files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.clock.rate import FRAME_RATES
from bridge.export import FORMATS, ExportSettings, export_take
from bridge.rig.load import load_rigmap
from bridge.takes.take import curves
from tests.export.takes import moving_take

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "unreal_import.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("unreal_import", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rate", sorted(FRAME_RATES))
@pytest.mark.parametrize("format_id", ["metahuman-json", "metahuman-csv"])
def test_the_script_reads_the_curves_that_we_write(
    script: Any, tmp_path: Path, format_id: str, rate: str
) -> None:
    path = tmp_path / f"Söhne & Töchter{FORMATS[format_id].suffix}"
    settings = ExportSettings(rate=FRAME_RATES[rate])
    path.write_bytes(b"".join(export_take(moving_take(), format_id, settings)))
    read = script.read_curves(path)
    rigmap = load_rigmap("metahuman")
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


def test_the_script_says_what_it_cannot_read(script: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="no file of metahuman-json"):
        script.read_curves(path)
    path.write_text('{"format": "cstalk-curves", "version": 9}', encoding="utf-8")
    with pytest.raises(ValueError, match="version 9, this script reads 1"):
        script.read_curves(path)
    path = tmp_path / "other.csv"
    path.write_text("Timecode,BlendshapeCount\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no file of metahuman-csv"):
        script.read_curves(path)
    path.write_text("Frame,Time,a\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no frames"):
        script.read_curves(path)
    path.write_text("Frame,Time,a\n0,0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="does not have 1 curves"):
        script.read_curves(path)
