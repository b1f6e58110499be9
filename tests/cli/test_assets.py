from pathlib import Path

import pytest

from cstalk_bridge.cli.assets import check_heads, import_head
from cstalk_bridge.models.errors import UserError
from tests.heads.data_sets import ict_facekit
from tests.heads.small import user_head


def test_a_head_is_imported_and_its_notice_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "my head.glb"
    assert import_head([ict_facekit(tmp_path / "ict")], output) == 0
    shown = capsys.readouterr().out
    assert f"{output}: ICT-FaceKit, 4 of 52 ARKit shapes" in shown
    assert "tongueOut" in shown
    assert "must stay with every copy" in shown
    assert "USC Institute for Creative Technologies" in shown
    before = output.read_bytes()
    with pytest.raises(UserError, match="already exists"):
        import_head([tmp_path / "ict"], output)
    assert output.read_bytes() == before


def test_what_a_head_has_and_lacks_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = user_head(["JawOpen", "smirk"]).save(tmp_path / "good.glb")
    assert check_heads([good]) == 0
    shown = capsys.readouterr().out
    assert "1 of 52 ARKit shapes" in shown
    assert "not moved by any curve: smirk" in shown
    assert "missing: eyeBlinkLeft, eyeLookDownLeft" in shown
    bad = user_head(["smirk"]).save(tmp_path / "bad.glb")
    with pytest.raises(UserError) as caught:
        check_heads([bad, good, tmp_path / "none.glb"])
    assert [problem.where for problem in caught.value.problems] == [
        str(bad),
        str(tmp_path / "none.glb"),
    ]
    assert "good.glb: 1 of 52" in capsys.readouterr().out
