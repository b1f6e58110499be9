"""Config files and flags: what they set, and the errors they report.

Each subject's MetaHuman device gets a port of its own where none is given.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cstalk_bridge.config.load import (
    ConfigOverrides,
    load_config,
    override,
    read_config,
    shared_devices,
)
from cstalk_bridge.config.schema import MAX_SUBJECTS, Config
from cstalk_bridge.face.performer import FallbackMode, FallbackPolicies, FallbackPolicy
from cstalk_bridge.face.procedural.animation import NO_ANIMATION_LEVELS, Levels
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.protocol import ListeningConfig
from cstalk_bridge.outputs.registry import parse_link_url, read_link
from cstalk_bridge.timecode.smpte import FRAME_RATES

ANYWHERE = "metahuman://0.0.0.0?allow=10.0.0.0/24"
HERE = "metahuman://127.0.0.1"


def config_of(path: Path, *links: str) -> Config:
    subjects = "".join(f"  - {{name: S{n}, links: [{link}]}}\n" for n, link in enumerate(links))
    path.write_text(f"subjects:\n{subjects}", encoding="utf-8")
    return load_config(path)


def ports(config: Config) -> list[int]:
    return [link.targets[0].port for subject in config.subjects for link in subject.links]


@pytest.mark.parametrize(
    ("links", "found"),
    [
        ([ANYWHERE], [14785]),
        ([ANYWHERE, ANYWHERE, ANYWHERE], [14785, 14786, 14787]),
        ([ANYWHERE, f"'{HERE}?allow=10.0.0.5'"], [14785, 14786]),
        (
            [ANYWHERE, "'metahuman://0.0.0.0:14785?allow=10.0.0.0/24'", ANYWHERE],
            [14786, 14785, 14787],
        ),
        ([f"'{HERE}:14785'", f"'{HERE}:14785'"], [14785, 14785]),
        (["'metahuman://[::1]'", "'metahuman://[::1]:14790'"], [14785, 14790]),
        (
            ["{protocol: metahuman, targets: ['0.0.0.0'], allow: [10.0.0.5]}", ANYWHERE],
            [14785, 14786],
        ),
        (
            [
                "{protocol: metahuman, targets: [{host: '::', port: 14785}], allow: [10.0.0.5]}",
                ANYWHERE,
            ],
            [14785, 14786],
        ),
        (["livelink-face://h", "livelink-face://h"], [11111, 11111]),
    ],
    ids=str,
)
def test_an_unspecified_port_is_the_next_free_one(
    tmp_path: Path, links: list[str], found: list[int]
) -> None:
    assert ports(config_of(tmp_path / "show.yaml", *links)) == found


def test_ports_of_flags_are_taken_into_account(tmp_path: Path) -> None:
    path = tmp_path / "show.yaml"
    path.write_text(f"subjects: [{{name: A}}, {{name: B, links: ['{ANYWHERE}']}}]", "utf-8")
    assert ports(load_config(path, ConfigOverrides(link=(ANYWHERE,)))) == [14785, 14786]


def test_shared_addresses_are_found(tmp_path: Path) -> None:
    config = config_of(tmp_path / "show.yaml", f"'{HERE}:14785'", HERE, f"'{HERE}:14785'")
    (place,) = shared_devices(config)
    assert place == f"{HERE}:14785"
    assert [subject.name for subject in shared_devices(config)[place]] == ["S0", "S2"]
    assert shared_devices(config_of(tmp_path / "show.yaml", HERE, HERE)) == {}


def test_only_listeners_take_the_next_port() -> None:
    device, given = parse_link_url(HERE), parse_link_url(f"{HERE}:14785")
    assert isinstance(device, ListeningConfig)
    assert device.takes_next_port
    assert isinstance(given, ListeningConfig)
    assert not given.takes_next_port
    assert not isinstance(parse_link_url("livelink-face://127.0.0.1"), ListeningConfig)
    with pytest.raises(ValueError, match="has no 'takes_next_port'"):
        read_link({"protocol": "osc", "targets": ["127.0.0.1"], "takes_next_port": True})
    with pytest.raises(UserError, match="is not a number from 1 to 65535"):
        parse_link_url(f"{HERE}:0")


ROOT = Path(__file__).parents[2]

TWO_SUBJECTS = """\
subjects:
  - name: Anna
    links: [livelink-face://127.0.0.1:11111]
  - name: Bruno
    emotion: {sad: 1.5}
    links: [livelink-face://127.0.0.1:11111, osc://127.0.0.1:8000/bruno]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "show.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        read_config(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_the_shipped_config_equals_the_built_in_defaults() -> None:
    assert read_config(ROOT / "config.yaml") == Config()


def test_every_key_of_the_shipped_config_is_commented() -> None:
    lines = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()
    blocks = "\n".join(lines).split("\n\n")
    keyed = [b for b in blocks if any(not x.lstrip().startswith("#") for x in b.splitlines())]
    grouping = {"audio:"}
    for block in keyed:
        first = block.splitlines()[0].strip()
        assert first.startswith("#") or first in grouping, block


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config() == Config()


def test_a_config_in_the_folder_is_read_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text("fps: 25\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_config().fps.name == "25"


def test_a_named_config_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_config(tmp_path / "none.yaml")


def test_every_problem_is_reported_at_once_at_its_place(tmp_path: Path) -> None:
    found = problems(
        written(
            tmp_path,
            "fps: 61\n"
            "lookahead_ms: 90\n"
            "devise: cuda\n"
            "buffer_ms: .nan\n"
            "subjects:\n"
            "  - name: Anna\n"
            "    emotion: {hapy: 1, sad: 1.6}\n"
            "    links: ['osc://host:70000']\n"
            "  - name: ''\n"
            "    links: []\n"
            "    audio: {channel: 0}\n",
        )
    )
    assert [line.split(": ")[0] for line in found] == [
        "1:6", "2:15", "3:1", "4:12", "7:15", "7:29", "8:13", "9:11", "10:12", "11:22",
    ]  # fmt: skip
    assert "use one of 23.976, 24, 25, 29.97, 29.97df" in found[0]
    assert "did you mean `device`?" in found[2]
    assert "use neutral, happy, sad, angry, surprised, fearful, disgusted" in found[4]
    assert "1 to 65535" in found[6]


@pytest.mark.parametrize(
    ("text", "buffer_ms"),
    [
        ("", None),
        ("buffer_ms:\n", None),
        ("buffer_ms: auto\n", None),
        ("buffer_ms: ' AUTO '\n", None),
        ("buffer_ms: 0\n", 0.0),
        ("buffer_ms: 7.5\n", 7.5),
        ("buffer_ms: 200\n", 200.0),
    ],
)
def test_a_buffer_is_adaptive_or_a_number_of_milliseconds(
    tmp_path: Path, text: str, buffer_ms: float | None
) -> None:
    assert read_config(written(tmp_path, text)).buffer_ms == buffer_ms


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("adaptive", "`buffer_ms` must be a number"),
        ("-1", "greater than or equal to 0"),
        ("200.1", "less than or equal to 200"),
        (".inf", "`buffer_ms` must be a finite number"),
    ],
)
def test_an_invalid_buffer_is_reported_at_its_place(
    tmp_path: Path, value: str, message: str
) -> None:
    (found,) = problems(written(tmp_path, f"fps: 60\nbuffer_ms: {value}\n"))
    assert found.startswith("2:12: ")
    assert message in found


def test_there_may_be_many_subjects_and_an_error_in_a_list_is_reported(tmp_path: Path) -> None:
    subjects = [f"  - {{name: S{n}, links: ['osc://h:{n}']}}\n" for n in range(1, 1026)]
    most = read_config(written(tmp_path, "".join(["subjects:\n", *subjects[:1024]])))
    assert len(most.subjects) == MAX_SUBJECTS == 1024
    (found,) = problems(written(tmp_path, "".join(["subjects:\n", *subjects])))
    assert found.startswith("2:3: `subjects`")
    assert "at most 1024 items" in found


@pytest.mark.parametrize("name", ["24", "29.97", "29.97df", "'60'", "59.94DF"])
def test_a_rate_is_written_as_number_or_text(tmp_path: Path, name: str) -> None:
    config = read_config(written(tmp_path, f"fps: {name}\n"))
    assert config.fps.name == name.strip("'").lower()


@pytest.mark.parametrize("name", ["23.976", "23.98", "24000/1001", "'23.976'"])
def test_the_frame_rate_of_film_is_known_by_all_its_names(tmp_path: Path, name: str) -> None:
    assert read_config(written(tmp_path, f"fps: {name}\n")).fps is FRAME_RATES["23.976"]
    assert override(Config(), ConfigOverrides(fps=name.strip("'"))).fps is FRAME_RATES["23.976"]


@pytest.mark.parametrize("name", sorted(FRAME_RATES))
def test_every_rate_can_be_configured(tmp_path: Path, name: str) -> None:
    assert read_config(written(tmp_path, f"fps: {name}\n")).fps is FRAME_RATES[name]


@pytest.mark.parametrize(
    ("text", "mix"),
    [
        ("happy:0.7", {"happy": 0.7}),
        ("'happy: 0.7, sad:0.2'", {"happy": 0.7, "sad": 0.2}),
        ("angry", {"angry": 1.0}),
        ("{happy: 0.7}", {"happy": 0.7}),
        ("", {}),
    ],
)
def test_an_emotion_is_a_mapping_or_text(tmp_path: Path, text: str, mix: dict[str, float]) -> None:
    config = read_config(written(tmp_path, f"subjects:\n  - emotion: {text}\n"))
    assert dict(config.subjects[0].emotion) == mix


@pytest.mark.parametrize("weight", ["1.6", "-0.1", "nan", "inf", "much"])
def test_a_weight_out_of_range_is_refused(weight: str) -> None:
    with pytest.raises(UserError, match=r"from 0 to 1\.5"):
        override(Config(), ConfigOverrides(emotion=f"happy:{weight}"))


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("subjects: [{name: A}, {name: A}]", "1:30", "subject 1 is called 'A' too"),
        (
            "subjects:\n  - links: ['osc://h:8000', 'livelink-face://h:8000']",
            "2:29",
            "link 1 of 'CSTalk' sends to h:8000 too",
        ),
        (
            "subjects:\n  - {name: A, links: ['osc://h:1']}\n  - {name: B, links: ['osc://h:1']}",
            "3:23",
            "'A' sends the same OSC addresses",
        ),
        (
            "subjects:\n  - {name: A, links: ['vmc://h']}\n  - {name: B, links: ['vmc://h']}",
            "3:23",
            "'A' sends the same VMC addresses to h:39539; give each subject a port of its own",
        ),
    ],
)
def test_conflicting_keys_are_reported_at_the_second(
    tmp_path: Path, text: str, place: str, message: str
) -> None:
    (found,) = problems(written(tmp_path, text))
    assert found.startswith(place)
    assert message in found


def test_subjects_may_share_a_live_link_port(tmp_path: Path) -> None:
    assert len(read_config(written(tmp_path, TWO_SUBJECTS)).subjects) == 2


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    flags = ConfigOverrides(
        audio="take.wav",
        link=("osc://10.0.0.5",),
        fps="50",
        lookahead_ms="120",
        emotion="happy:0.7",
        mouth_guard="0.2",
        transition_ms="0",
        no_alive=True,
        device="cpu",
        weights="w.safetensors",
        no_ui=True,
    )
    config = load_config(written(tmp_path, TWO_SUBJECTS), flags)
    assert [subject.alive for subject in config.subjects] == [NO_ANIMATION_LEVELS, Levels()]
    anna, bruno = config.subjects
    assert (config.fps.name, config.lookahead_ms, config.device) == ("50", 120, "cpu")
    assert (config.weights, config.dashboard) == (Path("w.safetensors"), False)
    assert (anna.audio.input, dict(anna.emotion)) == ("take.wav", {"happy": 0.7})
    assert (anna.mouth_guard, anna.transition_ms) == (0.2, 0.0)
    assert [str(link) for link in anna.links] == ["osc://10.0.0.5:8000"]
    assert bruno == read_config(tmp_path / "show.yaml").subjects[1]


@pytest.mark.parametrize("guard", ["-0.1", "1.1", "nan", "much"])
@pytest.mark.parametrize("over_ms", ["-1", "60001", "inf", "slow"])
def test_a_guard_and_a_transition_out_of_range_are_refused(guard: str, over_ms: str) -> None:
    with pytest.raises(UserError) as caught:
        override(Config(), ConfigOverrides(mouth_guard=guard, transition_ms=over_ms))
    places = [problem.where for problem in caught.value.problems]
    assert places == ["--mouth-guard", "--transition-ms"]


def test_audio_flag_keeps_the_other_settings_of_the_input(tmp_path: Path) -> None:
    path = written(tmp_path, "subjects: [{audio: {gain_db: 6, gate: {enabled: true}}}]")
    audio = load_config(path, ConfigOverrides(audio="3")).subjects[0].audio
    assert (audio.input, audio.gain_db, audio.gate.enabled) == ("3", 6.0, True)


def test_subject_flag_chooses_a_subject_of_the_config(tmp_path: Path) -> None:
    path = written(tmp_path, TWO_SUBJECTS)
    anna, bruno = load_config(path, ConfigOverrides(subject="Bruno", emotion="angry")).subjects
    assert (anna.name, dict(anna.emotion)) == ("Anna", {})
    assert (bruno.name, dict(bruno.emotion)) == ("Bruno", {"angry": 1.0})


def test_subject_flag_renames_the_first_when_there_is_none_of_that_name(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, TWO_SUBJECTS), ConfigOverrides(subject="Clara"))
    assert [subject.name for subject in config.subjects] == ["Clara", "Bruno"]


def test_every_wrong_flag_is_named_at_once() -> None:
    flags = ConfigOverrides(
        fps="61", lookahead_ms="90", emotion="hapy", link=("foo",), device="gpu"
    )
    with pytest.raises(UserError) as caught:
        override(Config(), flags)
    places = [problem.where for problem in caught.value.problems]
    assert places == ["--fps", "--lookahead-ms", "--device", "--emotion", "--link"]


def test_links_of_flags_may_not_clash() -> None:
    with pytest.raises(UserError, match="sends to h:9 too"):
        override(Config(), ConfigOverrides(link=("osc://h:9", "livelink-face://h:9")))


def test_procedural_animation_is_set_part_by_part_or_as_a_whole(tmp_path: Path) -> None:
    text = (
        "subjects:\n"
        "  - {name: Anna, seed: 7, alive: {gaze: 0.5, symmetry: 1}}\n"
        "  - {name: Bruno, alive: false, rest: {silence: neutral, lost: {policy: hold}}}\n"
    )
    anna, bruno = read_config(written(tmp_path, text)).subjects
    assert anna.alive == Levels(gaze=0.5, symmetry=1.0)
    assert (anna.seed, bruno.seed) == (7, None)
    assert bruno.alive == NO_ANIMATION_LEVELS
    assert bruno.rest.policies.silence == FallbackPolicy(FallbackMode.NEUTRAL)
    assert bruno.rest.policies.lost == FallbackPolicy(FallbackMode.HOLD)
    assert anna.rest.policies == FallbackPolicies()


def test_procedural_animation_is_set_by_flags() -> None:
    (subject,) = override(Config(), ConfigOverrides(alive="gaze:0.5,symmetry:1", seed="7")).subjects
    assert (subject.alive, subject.seed) == (Levels(gaze=0.5, symmetry=1.0), 7)


@pytest.mark.parametrize("alive", ["ears:1", "gaze", "gaze:2.1", "symmetry:1.5", "head:much"])
def test_levels_out_of_range_are_reported_with_their_flag(alive: str) -> None:
    with pytest.raises(UserError) as caught:
        override(Config(), ConfigOverrides(alive=alive, seed="-1"))
    assert [problem.where for problem in caught.value.problems] == ["--seed", "--alive"]


def test_invalid_procedural_animation_is_reported_at_its_place(tmp_path: Path) -> None:
    text = (
        "subjects:\n"
        "  - name: Anna\n"
        "    seed: -1\n"
        "    alive: {gaze: 3, blnk: 1}\n"
        "    rest:\n"
        "      lost: {policy: rest, decay_ms: 0}\n"
    )
    found = problems(written(tmp_path, text))
    places = [problem.partition(" ")[0] for problem in found]
    assert places == ["3:11:", "4:19:", "4:22:", "6:22:", "6:38:"]
    assert "unknown key `subjects[0].alive.blnk`" in found[2]
    assert "blink" in found[2]


def test_subject_names_ignore_case_and_unicode_form(tmp_path: Path) -> None:
    path = written(tmp_path, TWO_SUBJECTS.replace("Bruno", "Zoë"))
    config = load_config(path, ConfigOverrides(subject=" zoe\u0308", emotion="happy:0.5"))
    assert config.subjects[1].emotion == {"happy": 0.5}
    assert config.subjects[1].name == "Zoë"


def test_a_channel_is_a_number_or_all(tmp_path: Path) -> None:
    audio = override(Config(), ConfigOverrides(channel="2")).subjects[0].audio
    assert (audio.input, audio.channel) == ("mic", 2)
    audio = override(Config(), ConfigOverrides(channel="all", audio="x.wav")).subjects[0].audio
    assert (audio.input, audio.channel) == ("x.wav", "all")
    for wrong in ("0", "257", "left", "-1", ""):
        with pytest.raises(UserError, match="write a number from 1 to 256, or all"):
            override(Config(), ConfigOverrides(channel=wrong))
    text = "subjects:\n  - audio: {channel: left}\n"
    (problem,) = problems(written(tmp_path, text))
    assert problem == "2:22: 'left' is not a channel; write a number from 1 to 256, or all"
