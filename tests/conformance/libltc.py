"""Debian's libltc, by Robin Gareus: an independent encoder and decoder of linear timecode."""

from __future__ import annotations

import ctypes.util
from ctypes import POINTER, byref, c_char, c_double, c_float, c_int, c_longlong, c_uint8, c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray

STANDARDS = {24: 3, 25: 1, 30: 0}
"""`LTC_TV_STANDARD` by nominal rate."""


class Time(ctypes.Structure):
    _fields_ = [
        ("timezone", c_char * 6),
        *((name, c_uint8) for name in ("years", "months", "days")),
        *((name, c_uint8) for name in ("hours", "mins", "secs", "frame")),
    ]


class Frame(ctypes.Structure):
    _fields_ = [
        ("bits", c_uint8 * 10),
        ("start", c_longlong),
        ("end", c_longlong),
        ("is_reverse", c_int),
        ("ticks", c_float * 80),
        ("least", c_uint8),
        ("most", c_uint8),
        ("volume", c_double),
    ]


def library() -> Any:
    """Return the library; skips the test where there is none."""
    name = ctypes.util.find_library("ltc")
    if name is None:
        pytest.skip("libltc is not installed")
    found = ctypes.CDLL(name)
    found.ltc_encoder_create.restype = found.ltc_decoder_create.restype = c_void_p
    found.ltc_encoder_create.argtypes = [c_double, c_double, c_int, c_int]
    found.ltc_encoder_set_timecode.argtypes = [c_void_p, POINTER(Time)]
    found.ltc_encoder_copy_buffer.argtypes = [c_void_p, c_void_p]
    found.ltc_decoder_write_float.argtypes = [c_void_p, c_void_p, ctypes.c_size_t, c_longlong]
    found.ltc_decoder_read.argtypes = [c_void_p, POINTER(Frame)]
    found.ltc_frame_to_time.argtypes = [POINTER(Time), POINTER(Frame), c_int]
    for call in ("encoder_free", "encoder_encode_frame", "encoder_inc_timecode", "decoder_free"):
        getattr(found, f"ltc_{call}").argtypes = [c_void_p]
    found.ltc_encoder_get_buffersize.argtypes = [c_void_p]
    found.ltc_encoder_get_buffersize.restype = ctypes.c_size_t
    return found


def encoded(fps: float, first: tuple[int, int, int, int], count: int, rate_hz: int) -> Any:
    """Return `count` frames from a time on as sound, float32 [time], and their labels.

    At 29.97 its labels are drop-frame.
    """
    ltc = library()
    encoder = ltc.ltc_encoder_create(rate_hz, fps, STANDARDS[round(fps)], 0)
    time = Time(b"+0000", 0, 1, 1, *first)
    ltc.ltc_encoder_set_timecode(encoder, byref(time))
    buffer = (c_uint8 * ltc.ltc_encoder_get_buffersize(encoder))()
    pieces, labels = [], []
    ltc.ltc_encoder_get_timecode.argtypes = [c_void_p, POINTER(Time)]
    for _ in range(count):
        ltc.ltc_encoder_get_timecode(encoder, byref(time))
        labels.append(f"{time.hours:02d}:{time.mins:02d}:{time.secs:02d}:{time.frame:02d}")
        ltc.ltc_encoder_encode_frame(encoder)
        size = ltc.ltc_encoder_copy_buffer(encoder, buffer)
        pieces.append(np.array(buffer[:size], dtype=np.float32))
        ltc.ltc_encoder_inc_timecode(encoder)
    ltc.ltc_encoder_free(encoder)
    return (np.concatenate(pieces) - 128) / 128, labels


def decoded(wave: NDArray[np.float32], rate_hz: int, fps: float) -> list[tuple[str, int, bool]]:
    """Return label, first sample and direction of each frame that libltc decodes."""
    ltc = library()
    decoder = ltc.ltc_decoder_create(round(rate_hz / fps), 1000)
    sound = np.ascontiguousarray(wave, dtype=np.float32)
    # Its queue and its 8-bit buffer take pieces.
    frames = []
    for first in range(0, len(sound), 1024):
        piece = np.ascontiguousarray(sound[first : first + 1024])
        ltc.ltc_decoder_write_float(decoder, piece.ctypes.data, len(piece), first)
    frame, time = Frame(), Time()
    while ltc.ltc_decoder_read(decoder, byref(frame)):
        ltc.ltc_frame_to_time(byref(time), byref(frame), 0)
        label = f"{time.hours:02d}:{time.mins:02d}:{time.secs:02d}:{time.frame:02d}"
        frames.append((label, frame.start, bool(frame.is_reverse)))
    ltc.ltc_decoder_free(decoder)
    return frames
