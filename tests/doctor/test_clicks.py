"""What to click: for the subject, the address and the port of the config."""

from __future__ import annotations

from bridge.config.schema import SubjectConfig
from bridge.doctor.clicks import Guide, guides
from bridge.links.spec import parse_link_url


def subject(name: str, *urls: str) -> SubjectConfig:
    return SubjectConfig(name=name, links=tuple(map(parse_link_url, urls)))


def text(guide: Guide) -> str:
    return "\n".join((guide.title, *guide.steps))


def test_an_arkit_guide_names_subject_plugin_and_field() -> None:
    (guide,) = guides([subject("Ada", "livelink-face://127.0.0.1")], [])
    assert "on this machine" in guide.title
    for words in (
        "Apple ARKit Face Support",
        "ARKit Face Subj",
        "LLink Face Subj",
        "Ada is listed",
    ):
        assert words in text(guide)


def test_an_unusual_port_is_pointed_out() -> None:
    (guide,) = guides([subject("Ada", "livelink-face://10.0.0.5:11112")], [])
    assert "Unreal listens at port 11111; 11112 must have been set there" in text(guide)


def test_subjects_with_one_target_share_a_guide() -> None:
    link = "livelink-face://10.0.0.5"
    (guide,) = guides([subject("Ada", link), subject("Ben", link)], [])
    assert "Ada, Ben" in text(guide)
    assert "on 10.0.0.5" in guide.title


def test_a_device_open_to_all_is_found_at_the_addresses_of_this_machine() -> None:
    ada = subject("Ada", "metahuman://0.0.0.0:14785?allow=10.0.0.5")
    (guide,) = guides([ada], ["10.0.0.7", "192.168.1.7"])
    assert "address 10.0.0.7 or 192.168.1.7, port 14785" in text(guide)
    (alone,) = guides([ada], [])
    assert "this machine's address" in text(alone)


def test_a_device_guide_names_the_subject_that_unreal_takes_and_its_settings() -> None:
    link = "metahuman://127.0.0.1:14785"
    (guide,) = guides([subject("Ada", link), subject("Ben", link)], [])
    assert "Choose the subject there: Ada." in text(guide)
    assert "Ben" not in text(guide)
    for words in ("smoothing and interpolation to none", "Capture Neutrals"):
        assert words in text(guide)


def test_messages_have_their_port_and_names() -> None:
    osc, vmc = guides([subject("Ada", "osc://10.0.0.5:9000/face", "vmc://10.0.0.5")], [])
    assert "port 9000" in text(osc)
    assert "/face/NAME" in text(osc)
    assert "39539" in text(vmc)
    assert "ARKit names in camel case, bone: head" in text(vmc)
    (other,) = guides([subject("Ada", "vmc://10.0.0.5?casing=pascal&bone=none")], [])
    assert "ARKit names in pascal case, bone: none" in text(other)
