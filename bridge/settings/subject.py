"""Settings of a subject: those of the config, and those that only remote control, the page and
keyframes change.
"""

from __future__ import annotations

from typing import Final

from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT, MOUTH_GUARD
from cstalk_bridge.settings.declaration import Effect, Scope, Setting

MAX_LEVEL: Final = 2.0
"""Twice as much of a part of a face as people have."""

MAX_TRANSITION_MS: Final = 60_000.0


MAX_SEED: Final = 2**32 - 1

MAX_GAIN_DB: Final = 60.0
"""Gain at most, up and down."""


MAX_SOUND_DELAY_MS: Final = 2000.0
"""More than two seconds is no delay of a renderer or a stream."""

NAMES: Final = f"{', '.join(EMOTIONS[:-1])} and {EMOTIONS[-1]}"


LEVELS: Final = tuple(
    Setting(
        key=f"alive.{name}",
        help=text,
        default=default,
        scope=Scope.SUBJECT,
        minimum=0.0,
        maximum=maximum,
        step=0.05,
        effect=Effect.AT_ONCE,
    )
    for name, text, default, maximum in (
        ("gaze", "Eyes that look at a partner and away; the lids follow.", 1.0, MAX_LEVEL),
        ("head", "Turns, nods and posture, driven by voice and emotion.", 1.0, MAX_LEVEL),
        ("blink", "Frequency of blinks.", 1.0, MAX_LEVEL),
        ("brows", "Brows that rise on stressed words.", 1.0, MAX_LEVEL),
        (
            "idle",
            "Idle motion: breath, drift of the head, micro-saccades, muscle tone, and slow "
            "variation of a held expression.",
            1.0,
            MAX_LEVEL,
        ),
        ("mouth", "Strength of the generated mouth, jaw and tongue.", 1.0, MAX_LEVEL),
        ("upper_face", "Strength of the generated face above the mouth.", 1.0, MAX_LEVEL),
        ("symmetry", "Symmetry of the generated face: 0 as generated, 1 symmetric.", 0.0, 1.0),
        (
            "acting",
            "An emotion that grows and sinks with each phrase, is accented with the voice, and "
            "varies from phrase to phrase.",
            1.0,
            MAX_LEVEL,
        ),
        (
            "emphasis",
            "Brows, lids, cheeks, nose and lip corners that move with stresses and phrases.",
            1.0,
            MAX_LEVEL,
        ),
        ("asymmetry", "Difference between the halves of the face.", 1.0, MAX_LEVEL),
        ("resting_lips", "Lips that close in silence under an emotion.", 1.0, 1.0),
    )
)
"""Levels of the parts of a face."""


def _levels_up_to(maximum: float) -> str:
    """Return the names of the levels with this maximum, for help texts."""
    names = (level.key.partition(".")[2] for level in LEVELS if level.maximum == maximum)
    return ", ".join(names)


SUBJECT_SETTINGS: Final = (
    Setting(
        key="name",
        help="Name under which Unreal lists the subject; each name only once.",
        default="CSTalk",
        scope=Scope.SUBJECT,
    ),
    Setting(key="audio", help="Audio input.", scope=Scope.SUBJECT),
    Setting(
        key="audio.input",
        help="Audio input: mic (the default microphone), a device, a sound file, or test.",
        default="mic",
        scope=Scope.SUBJECT,
        metavar="mic|NAME|FILE",
        flag_name="audio",
        note="A device is written as its name, part of a name, or number (`cstalk-bridge devices` "
        "lists them; twins have their USB port on Linux, elsewhere `NAME, SYSTEM, #2`). A sound "
        "file is played in real time. test is a synthetic voice. Paths start at the folder where "
        "the program starts.",
        effect=Effect.BETWEEN_TAKES,
    ),
    Setting(
        key="audio.channel",
        help="Channel of the device or file, counted from 1, or all for the mean of all.",
        scope=Scope.SUBJECT,
        metavar="N|all",
        is_of_takes=True,
        note="null: the mean of the first two of a device and of all of a file, but one alone "
        "where those of a file cancel or the others hold no voice.",
        effect=Effect.BETWEEN_TAKES,
    ),
    Setting(
        key="audio.gain_db",
        help="Input gain.",
        default=0.0,
        scope=Scope.SUBJECT,
        minimum=-MAX_GAIN_DB,
        maximum=MAX_GAIN_DB,
        step=0.5,
        unit="dB",
        label="Gain",
        slider=(-20.0, 40.0),
        is_live=True,
        note="Raise it when the level stays under -40 dB while speaking.",
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="audio.gate",
        help="Noise gate: while it is closed the network receives silence, so that a fan moves no "
        "lips.",
        scope=Scope.SUBJECT,
        metavar="off|level|voice",
        flag_name="gate",
        note="In one word off, level or voice. level: what is loud opens it. voice: only a voice "
        "that is loud opens it; keys, claps, music and beeps do not.",
    ),
    Setting(
        key="audio.gate.enabled",
        help="Whether the gate is used.",
        default=False,
        scope=Scope.SUBJECT,
        label="Noise gate",
        is_live=True,
        note="false: all sound passes.",
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="audio.gate.voice",
        help="Whether only a voice opens it.",
        default=False,
        scope=Scope.SUBJECT,
        label="Only for voices",
        is_live=True,
        effect=Effect.BETWEEN_TAKES,
        note="It opens backwards: with the usual look-ahead no first syllable is lost. It takes "
        "about 0.2 ms of each hop of 20 ms.",
    ),
    Setting(
        key="audio.gate.open_db",
        help="Level at which the gate opens, RMS.",
        default=-50.0,
        scope=Scope.SUBJECT,
        minimum=-100.0,
        maximum=0.0,
        step=1.0,
        unit="dBFS",
        label="Gate opens at",
        slider=(-80.0, 0.0),
        is_live=True,
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="audio.gate.close_db",
        help="Level below which it closes again, at or below open_db.",
        default=-56.0,
        scope=Scope.SUBJECT,
        minimum=-100.0,
        maximum=0.0,
        step=1.0,
        unit="dBFS",
        label="Gate closes below",
        slider=(-80.0, 0.0),
        is_live=True,
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="audio.gate.hold_ms",
        help="Time for which it stays open after the last sound above close_db.",
        default=150.0,
        scope=Scope.SUBJECT,
        minimum=0.0,
        maximum=5000.0,
        step=10.0,
        unit="ms",
        label="Gate holds for",
        slider=(0.0, 1000.0),
        is_live=True,
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="audio.gate.near_db",
        help="How much quieter than the usual voice a voice may be that opens a gate for voices.",
        default=25.0,
        scope=Scope.SUBJECT,
        minimum=5.0,
        maximum=100.0,
        step=1.0,
        unit="dB",
        label="Gate takes voices down to",
        slider=(5.0, 60.0),
        is_live=True,
        effect=Effect.AT_ONCE,
        note="So neighbours open nothing once the near voice has spoken. 100 lets any voice in.",
    ),
    Setting(
        key="audio.gate.lead_ms",
        help="Delay of the face that a gate for voices adds, in which it makes sure of a voice.",
        default=60.0,
        scope=Scope.SUBJECT,
        minimum=0.0,
        maximum=200.0,
        step=10.0,
        unit="ms",
        label="Gate looks ahead",
        is_live=True,
        effect=Effect.BETWEEN_TAKES,
        note="So no first syllable is cut off; with less the beginning of some is. Without such a "
        "gate it has no effect.",
    ),
    Setting(
        key="passthrough",
        help="Audio passthrough: the sound on an output device, delayed like the face, for OBS or "
        "a mixer.",
        scope=Scope.SUBJECT,
    ),
    Setting(
        key="passthrough.device",
        help="Output device of the passthrough, such as a virtual cable.",
        scope=Scope.SUBJECT,
        metavar="NAME",
        flag_name="passthrough",
        note="Its name, part of a name, or number, as `cstalk-bridge devices` lists it. null: the "
        "sound is not played.",
    ),
    Setting(
        key="passthrough.delay_ms",
        help="Delay added to that of the face, for what comes after the packet: the rendering.",
        default=0.0,
        scope=Scope.SUBJECT,
        minimum=-MAX_SOUND_DELAY_MS,
        maximum=MAX_SOUND_DELAY_MS,
        step=1.0,
        unit="ms",
        label="Added delay",
        slider=(-200.0, 400.0),
        is_live=True,
        metavar="N",
        flag_name="passthrough_delay_ms",
        note="Below 0 the sound comes earlier. `cstalk-bridge sync-test` helps to find it.",
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="passthrough.level_db",
        help="Level of the passthrough, relative to the sound before gain and gate.",
        default=0.0,
        scope=Scope.SUBJECT,
        minimum=-MAX_GAIN_DB,
        maximum=MAX_GAIN_DB,
        step=0.5,
        unit="dB",
        label="Level",
        slider=(-40.0, 20.0),
        is_live=True,
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="emotion",
        help="Emotion of the face, such as happy:0.7 or happy:0.5,surprised:0.2; auto takes it "
        "from the voice.",
        default={},
        scope=Scope.SUBJECT,
        metavar="NAME:WEIGHT,...",
        is_of_takes=True,
        note=f"A mix of {NAMES}, weights 0 to {MAX_WEIGHT:g}: {{happy: 0.7, surprised: 0.2}}, or "
        "in short happy:0.7. {} is neutral. arousal: 1 lets the emotions rise while the voice is "
        "louder and higher than usual. auto: 1 adds the emotion estimated from the voice, as far "
        "as the others leave room up to 1 (a research build, non-commercial).",
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="emotions",
        help="Emotions over time: a YAML or CSV file of keyframes.",
        default=(),
        scope=Scope.SUBJECT,
        metavar="FILE",
        note='A list such as [{at_s: 2.5, emotion: "happy:0.7", over_s: 1.5}], or the path of a '
        "file with one. Seconds count from the start of the run.",
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="mouth_guard",
        help="Mouth guard (viseme priority): the share of the emotion's mouth that full speech "
        "replaces.",
        default=MOUTH_GUARD,
        scope=Scope.SUBJECT,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        metavar="N",
        is_of_takes=True,
        label="Mouth guard",
        command="sets the share of the emotion's mouth that full speech replaces",
        argument="share",
        note="It keeps a smile from blurring the lips. At 1 speech replaces all of it; between "
        "words the emotion has its mouth back. Brows, eyes and cheeks keep theirs. Weights trained "
        f"without a guard take only {MOUTH_GUARD:g}.",
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="transition_ms",
        help="Time over which a changed emotion is eased in; 0 is a cut.",
        default=400.0,
        scope=Scope.SUBJECT,
        minimum=0.0,
        maximum=MAX_TRANSITION_MS,
        step=50.0,
        unit="ms",
        metavar="N",
        label="Transition",
        slider=(0.0, 4000.0),
        is_live=True,
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="seed",
        help="Seed of gaze, blinks, head and idle motion; the same seed moves a face alike.",
        scope=Scope.SUBJECT,
        minimum=0,
        maximum=MAX_SEED,
        metavar="N",
        is_of_takes=True,
        note="null: a number drawn from the name, so that no two characters move alike.",
    ),
    Setting(
        key="alive",
        help=f"Levels of {_levels_up_to(MAX_LEVEL)} (0 to {MAX_LEVEL:g}), "
        f"{_levels_up_to(1.0)} (0 to 1), such as gaze:0.5,head:0.",
        scope=Scope.SUBJECT,
        metavar="NAME:LEVEL,...",
        is_of_takes=True,
        note="0 is off, 1 is as people do, 2 is twice as much. false: the generated face alone.",
    ),
    *LEVELS,
    Setting(
        key="rest",
        help="What the generated face does in silence, when the input is lost, and in a pause.",
        scope=Scope.SUBJECT,
        note="follow: what the network gives. hold: stay. decay: stay for hold_ms, then fall to "
        "neutral. neutral: fall at once. decay_ms is the time constant of the fall: a third is "
        "left after it. In short: silence: neutral. Eyes, blinks and head continue in all of them.",
        effect=Effect.AT_ONCE,
    ),
    Setting(
        key="links",
        help="Target of the face, as a URL such as livelink-face://127.0.0.1:11111.",
        flag_note="Repeat it for more; they replace the links of the config.",
        scope=Scope.SUBJECT,
        metavar="URL",
        flag_name="link",
        is_repeated=True,
        note="A list of up to 8 links. A link may have several targets, separated by commas.\n"
        "  livelink-face://HOST:PORT            the Live Link Face app's packet, for any Unreal\n"
        "  metahuman://HOST                     a device for Unreal 5.6 and later, which connects "
        "to this\n"
        "                                       address at port 14785, for a further subject at "
        "14786 and\n"
        "                                       so on, or at HOST:PORT; ?allow=10.0.0.0/24 names "
        "who may,\n"
        "                                       as an address that other machines can reach must,\n"
        "                                       &discoverable=yes lets it be found\n"
        "  osc://HOST:PORT/PREFIX?rigmap=NAME   one OSC address per curve\n"
        "  vmc://HOST:PORT?presets=vrm1         VMC protocol (VSeeFace, Warudo, VMCLiveLink);\n"
        "                                       &casing=pascal spells ARKit names as JawOpen,\n"
        "                                       &bone=none sends no bone of the head\n"
        "rigmap: livelinkface61 (ARKit for Unreal's blueprint), arkit (for any other head), vrm, "
        "metahuman, metahuman_device or the path of a YAML file of your own.",
        effect=Effect.AT_ONCE,
    ),
)
"""Settings of one subject, in the order of `config.yaml`."""

MAX_INTENSITY: Final = 2.0
"""Factor on all weights of a mix at most; the products stay within `MAX_WEIGHT`."""

LIVE_SETTINGS: Final = (
    Setting(
        key="intensity",
        help="Factor on all weights of the mix.",
        default=1.0,
        scope=Scope.LIVE,
        minimum=0.0,
        maximum=MAX_INTENSITY,
        step=0.05,
        label="Intensity",
        is_live=True,
    ),
    Setting(
        key="auto",
        help="Weight of the emotion estimated from the voice.",
        default=0.0,
        scope=Scope.LIVE,
        minimum=0.0,
        maximum=MAX_WEIGHT,
        step=0.05,
        label="Voice emotion",
        is_live=True,
    ),
    Setting(
        key="arousal",
        help="How far the mix follows the arousal of the voice.",
        default=0.0,
        scope=Scope.LIVE,
        minimum=0.0,
        maximum=MAX_WEIGHT,
        step=0.05,
        label="Voice arousal",
        is_live=True,
    ),
    Setting(
        key="over_s",
        help="Time over which a change is eased in; 0 is a cut.",
        scope=Scope.LIVE,
        minimum=0.0,
        maximum=1e-3 * MAX_TRANSITION_MS,
        unit="s",
    ),
)
"""Settings of a subject that only remote control, the page and keyframes change."""
