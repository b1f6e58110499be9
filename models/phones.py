"""The phone set of networks, aligners and targets.

ARPAbet without diphthongs and affricates, which are two mouth gestures and become two phones of
half the length. Kokoro's espeak symbols and PocketSphinx's ARPAbet both map onto this
table.
"""

from __future__ import annotations

SILENCE = "SIL"

VOWELS = ("AA", "AE", "AH", "AO", "EH", "ER", "IH", "IY", "UH", "UW")
CONSONANTS = (
    *("B", "D", "DH", "F", "G", "HH", "K", "L", "M", "N", "NG", "P"),
    *("R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONES: tuple[str, ...] = (SILENCE, *VOWELS, *CONSONANTS)
PHONE_INDEX: dict[str, int] = {phone: index for index, phone in enumerate(PHONES)}

SPLIT: dict[str, tuple[str, str]] = {
    "AW": ("AA", "UH"),
    "AY": ("AA", "IH"),
    "EY": ("EH", "IH"),
    "OW": ("AO", "UH"),
    "OY": ("AO", "IH"),
    "CH": ("T", "SH"),
    "JH": ("D", "ZH"),
}
"""ARPAbet phones that are two gestures."""

FROM_IPA: dict[str, str] = {
    "ɪ": "IH",
    "i": "IY",
    "ᵻ": "IH",
    "ɛ": "EH",
    "e": "EH",
    "æ": "AE",
    "a": "AA",
    "ɑ": "AA",
    "ɒ": "AA",
    "ɐ": "AH",
    "ʌ": "AH",
    "ə": "AH",
    "ɔ": "AO",
    "o": "AO",
    "ʊ": "UH",
    "u": "UW",
    "ɜ": "ER",
    "ɚ": "ER",
    "b": "B",
    "d": "D",
    "ɾ": "D",
    "ð": "DH",
    "f": "F",
    "ɡ": "G",
    "h": "HH",
    "k": "K",
    "l": "L",
    "m": "M",
    "n": "N",
    "ŋ": "NG",
    "p": "P",
    "ɹ": "R",
    "s": "S",
    "ʃ": "SH",
    "t": "T",
    "ʔ": "T",
    "θ": "TH",
    "v": "V",
    "w": "W",
    "j": "Y",
    "z": "Z",
    "ʒ": "ZH",
}
"""The phone of each espeak symbol; length and stress marks and spaces have none."""


def gestures(phone: str) -> tuple[str, ...]:
    """Return the table's phones for one ARPAbet phone; noises and breath are silence."""
    return SPLIT.get(phone) or ((phone,) if phone in PHONE_INDEX else (SILENCE,))
