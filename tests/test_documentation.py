"""Commands, links, figures and messages of the documentation agree with the program."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

import pytest
import soundfile

from cstalk_bridge import document
from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.cli import main
from cstalk_bridge.cli.command import make_parser
from cstalk_bridge.config.load import read_config
from cstalk_bridge.control import commands
from cstalk_bridge.control import server as osc
from cstalk_bridge.control.commands import MAX_WAITING
from cstalk_bridge.face.performer import FallbackConfig
from cstalk_bridge.face.procedural.animation import LEVEL_NAMES
from cstalk_bridge.heads import glb
from cstalk_bridge.monitor import logs
from cstalk_bridge.outputs.metahuman import messages, session
from cstalk_bridge.outputs.metahuman import server as metahuman
from cstalk_bridge.plot.measures import MAX_JERK, MAX_SPEED, WARNING_KINDS
from cstalk_bridge.preview import connections, hub, recordings, server
from cstalk_bridge.rig.load import load_rigmap, shipped_names
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.sound import MAX_SOUND_S

ROOT = Path(__file__).parents[1]


def own_pages(folder: str) -> list[Path]:
    """The Markdown pages below a folder, without those of vendored packages."""
    return sorted(page for page in (ROOT / folder).rglob("*.md") if "vendor" not in page.parts)


README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
LINKING_PAGES = (
    *sorted(ROOT.glob("*.md")),
    *(page for folder in ("bridge", "docs", "examples", "models") for page in own_pages(folder)),
)
README_TEXT = README.read_text(encoding="utf-8")
SPEECH_S = 3
TAKES = (ROOT / "docs" / "takes.md").read_text(encoding="utf-8")


def examples(page: Path) -> list[list[str]]:
    """The commands in the shell blocks of a page, and those behind a `$` of its console blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    consoles = re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    typed = [line for block in blocks for line in block.splitlines()]
    typed += [line[2:] for block in consoles for line in block.splitlines() if line[:2] == "$ "]
    lines = [shlex.split(line, comments=True) for line in typed]
    return [arguments[1:] for arguments in lines if arguments[:1] == ["cstalk-bridge"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_command_exists(page: Path) -> None:
    for arguments in examples(page):
        assert make_parser().parse_args(arguments).action


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", LINKING_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_its_file_and_heading_or_an_address(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    dead = []
    for link in links:
        path, _, anchor = link.partition("#")
        if "://" in link:
            address = urlsplit(link)
            dead += [] if address.scheme in {"http", "https"} and address.hostname else [link]
            continue
        target = page.parent / path if path else page
        is_alive = target.exists() and (not anchor or anchor in anchors(target))
        dead += [] if is_alive else [link]
    assert dead == []


def figure_rows(text: str) -> list[tuple[str, ...]]:
    """The rows of every table of figures on a page."""
    tables = re.findall(r"^\| figure \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_the_readme_has_at_most_ten_figures_and_all_are_measured() -> None:
    chosen = figure_rows(README_TEXT)
    assert 5 < len(chosen) <= 10
    measured = figure_rows((ROOT / "docs" / "figures.md").read_text(encoding="utf-8"))
    assert len(measured) > 50
    assert set(chosen) <= set(measured)


def test_the_powershell_commands_equal_the_shell_commands() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README_TEXT, re.MULTILINE)
    assert len(commands) == 2
    (block,) = re.findall(r"^```powershell\n(.*?)^```", README_TEXT, re.DOTALL | re.MULTILINE)
    translated = [
        command.replace("python3", "py -3")
        .replace(" && ", "; ")
        .replace(".venv/bin/", ".venv\\Scripts\\")
        for command in commands
    ]
    assert block.splitlines() == translated


def python_of(page: Path) -> str:
    """The code of the Python blocks of a page, as one program."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return "\n".join(blocks)


@pytest.fixture
def folder_with_speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with three seconds of the bundled recording as `speech.wav`."""
    rate_hz = soundfile.info(SPEECH_PATH).samplerate
    samples, _ = soundfile.read(SPEECH_PATH, frames=SPEECH_S * rate_hz)
    soundfile.write(tmp_path / "speech.wav", samples, rate_hz)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder_with_speech")
def test_the_python_of_the_readme_generates_a_face() -> None:
    names: dict[str, Any] = {}
    exec(python_of(README), names)  # noqa: S102 - our own documentation
    assert names["face"].shape == (50 * SPEECH_S, len(names["generator"].channels))


def test_the_python_of_its_page_generates_converts_and_steers(
    folder_with_speech: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs" / "python.md"
    assert main(["render", "speech.wav", "-o", "takes"]) == 0
    config = "dashboard: false\nsubjects: [{name: CSTalk, audio: {input: speech.wav}}]\n"
    (folder_with_speech / "config.yaml").write_text(config, encoding="utf-8")
    names: dict[str, Any] = {}
    exec(python_of(page), names)  # noqa: S102 - our own documentation
    assert names["rows"].shape == (1, 1, len(names["generator"].channels))
    assert names["curves"].shape == (names["take"].rows, len(names["rigmap"].outputs))
    assert (folder_with_speech / "copy.take").exists()
    (recorded,) = (path for path in Path("takes").iterdir() if path.is_dir())
    assert recorded.name.endswith("_MySlate_3")
    shown = capsys.readouterr().out
    assert re.search(r"^3\.00 s, 81 channels, jaw up to 0\.\d\d$", shown, re.MULTILINE)
    assert "nothing.take: no such file; check the path" in shown


def test_the_page_on_procedural_animation_has_a_row_for_each_level_and_situation() -> None:
    page = (ROOT / "docs" / "life.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [*LEVEL_NAMES, *FallbackConfig.model_fields]


@pytest.mark.parametrize(("name", "count"), [("unreal.md", 2), ("operator.md", 1)])
def test_every_config_in_a_guide_is_valid(name: str, count: int, tmp_path: Path) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```yaml\n(.*?)^\1```", page, re.DOTALL | re.MULTILINE)
    configs = [dedent(block) for _, block in blocks if "extends: " not in block]
    path = tmp_path / "config.yaml"
    for config in configs:
        path.write_text(config, encoding="utf-8")
        read_config(path)
    assert len(configs) == count


def test_the_rig_map_in_the_unreal_guide_reverses_the_head(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "unreal.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(extends: .*?)^```", page, re.DOTALL | re.MULTILINE)
    path = tmp_path / "hero.yaml"
    path.write_text(block, encoding="utf-8")
    yaw = [load_rigmap(name).ruleset.rules["HeadYaw"].config for name in (path, "metahuman_device")]
    assert yaw[0].gain == -yaw[1].gain


def test_the_table_of_rig_maps_names_each_shipped_one() -> None:
    page = (ROOT / "docs" / "rig-maps.md").read_text(encoding="utf-8")
    table = page[: page.index("\n## ")]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == shipped_names()


def test_the_table_of_formats_names_each_with_its_file() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `([\w.-]+)` \|", TAKES, re.MULTILINE)
    assert rows == [(form.id, form.name("speech")) for form in FORMATS.values()]


def test_the_table_of_warnings_names_each_with_its_limit() -> None:
    section = TAKES[TAKES.index("| warning |") :]
    assert re.findall(r"^\| (\w+) \|", section, re.MULTILINE)[1:] == list(WARNING_KINDS)
    assert f"{MAX_SPEED:.1f} ranges per second" in section
    assert f"{round(MAX_JERK, -3):,.0f} ranges per second cubed" in section


def test_the_limits_of_the_security_page_are_those_of_the_code() -> None:
    limits = {
        "OSC datagram": f"{osc.MAX_DATAGRAM_BYTES} bytes, {osc.MAX_MESSAGES} messages; "
        f"{commands.MAX_TEXT} characters of text per argument",
        "work that waits for control": f"{MAX_WAITING} pieces of each kind",
        "MetaHuman device": f"{metahuman.MAX_CLIENTS} connections, "
        f"{metahuman.MAX_CLIENTS_OF_A_HOST} per host; {messages.MAX_PAYLOAD_BYTES >> 10} KiB per "
        f"message; {session.MAX_REQUESTS_PER_S} requests per second and client",
        "preview": f"{connections.MAX_CONNECTIONS} connections, {hub.MAX_CLIENTS} live viewers; "
        f"{server.MAX_HEAD_BYTES >> 10} KiB of HTTP headers, "
        f"{recordings.MAX_DOCUMENT_BYTES >> 10} KiB per request document, "
        f"{server.MAX_MESSAGE_BYTES >> 10} KiB per WebSocket message",
        "preview uploads": f"{recordings.MAX_UPLOAD_BYTES >> 30} GiB per file, "
        f"{recordings.MAX_HELD_BYTES >> 30} GiB and {recordings.MAX_RECORDINGS} recordings in all",
        "YAML documents": f"{document.MAX_BYTES >> 20} MiB, {document.MAX_DEPTH} levels, "
        f"{document.MAX_NODES:,} nodes",
        "heads (GLB, VRM)": f"{glb.MAX_GLB_BYTES >> 20} MiB, of which "
        f"{glb.MAX_JSON_BYTES >> 20} MiB JSON",
        "recordings and takes": f"{MAX_SOUND_S / 3600:g} hours",
        "log file": f"{logs.FILE_BYTES * (1 + logs.KEPT_FILES) // 10**6} MB in five files; "
        f"{logs.WAITING_RECORDS} waiting records",
    }
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE))
    for name, limit in limits.items():
        assert limit in rows[name]


def test_the_contribution_recipes_name_existing_files_and_objects() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    )
    paths = [name for name in code if re.fullmatch(r"[\w.]+(/[\w.]+)+|\w+\.(py|md|yaml)", name)]
    recipes = [path for path in paths if "NAME" not in path]
    assert len(recipes) > 15
    assert [path for path in recipes if not (ROOT / path).exists()] == []
    sources = [p for top in ("bridge", "models", "tests") for p in (ROOT / top).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    objects = {name for name in code if re.fullmatch(r"[A-Z][A-Za-z_]{3,}", name)} - {"NAME"}
    assert len(objects) > 8
    assert {name for name in objects if not re.search(rf"\b{name}\b", text)} == set()


@pytest.fixture(scope="module")
def strings_of_the_program() -> list[str]:
    """The text constants of the program and the parts of its formatted texts."""
    sources = [p for p in (ROOT / "bridge").rglob("*.py") if "bench" not in p.parts]
    return [
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("unreal.md", "no program listens at"),
        ("unreal.md", "cannot be found"),
        ("unreal.md", "senders"),
        ("unreal.md", "gets "),
        ("performance.md", "of frames late by"),
        ("performance.md", "inference takes"),
    ],
)
def test_quoted_messages_are_those_of_the_program(
    page: str, message: str, strings_of_the_program: list[str]
) -> None:
    assert message in (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert any(message in text and "\n" not in text for text in strings_of_the_program)


def test_quoted_messages_of_the_page_of_symptoms_are_those_of_the_program(
    strings_of_the_program: list[str],
) -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    quoted = [quote for cell in cells for quote in re.findall(r"`([^`]+)`", cell)]
    assert len(quoted) > 30
    pieces = [piece.strip() for quote in quoted for piece in quote.split("…")]
    one_line = [text for text in strings_of_the_program if "\n" not in text]
    assert [piece for piece in pieces if not any(piece in text for text in one_line)] == []


def test_the_index_links_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    links = re.findall(r"\]\(([\w./-]+\.md)\)", index.read_text(encoding="utf-8"))
    linked = {(index.parent / link).resolve() for link in links}
    assert {*PAGES, *ROOT.glob("*.md")} - {index} <= linked
