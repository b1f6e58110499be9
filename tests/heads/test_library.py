from pathlib import Path

import pytest

from cstalk_bridge.heads.arkit import arkit_names
from cstalk_bridge.heads.library import (
    MAX_HEADS,
    OWN_HEAD,
    OWN_ID,
    chosen_head,
    heads_folder,
    list_heads,
)
from cstalk_bridge.heads.reading import open_head
from cstalk_bridge.models.errors import UserError


@pytest.mark.parametrize(
    ("platform", "env", "folder"),
    [
        ("linux", {}, "home/.local/share/cstalk-bridge/heads"),
        ("linux", {"XDG_DATA_HOME": "data"}, "data/cstalk-bridge/heads"),
        ("darwin", {}, "home/Library/Application Support/cstalk-bridge/heads"),
        ("win32", {}, "home/AppData/Roaming/cstalk-bridge/heads"),
        ("win32", {"APPDATA": "roaming"}, "roaming/cstalk-bridge/heads"),
    ],
)
def test_each_system_has_its_own_folder(platform: str, env: dict[str, str], folder: str) -> None:
    assert heads_folder(env, platform, Path("home")) == Path(folder)


def test_heads_are_listed_the_named_one_first(tmp_path: Path) -> None:
    for name in ("Zoë's head.glb", "b.VRM", "notes.txt", "own.glb"):
        (tmp_path / name).touch()
    named = tmp_path / "elsewhere" / "b.glb"
    heads = list_heads(named, tmp_path)
    assert [head.id for head in heads] == ["b", "zo-s-head", "b-2", "own-2", OWN_ID]
    assert heads[0].path == named
    assert heads[-1].path == OWN_HEAD
    assert [head.id for head in list_heads(None, tmp_path / "none")] == [OWN_ID]


def test_a_folder_of_many_heads_is_cut_off(tmp_path: Path) -> None:
    for number in range(MAX_HEADS + 10):
        (tmp_path / f"{number:03d}.glb").touch()
    heads = list_heads(None, tmp_path)
    assert len(heads) == len({head.id for head in heads}) == MAX_HEADS


def test_our_own_head_has_every_shape() -> None:
    assert open_head(chosen_head(None)).shapes.found == arkit_names()
    with pytest.raises(UserError, match="no such head"):
        chosen_head(Path("none.glb"))
