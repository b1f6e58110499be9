"""Generate a face hop by hop, as a live program does: `python examples/stream_hops.py speech.wav`.

Prints how far the jaw is open after each hop of 20 ms.
"""

import sys

import numpy as np
import soundfile

from cstalk_bridge import load_generator
from cstalk_bridge.models.features import mono_16k

LOOKAHEAD_MS = 80.0

generator = load_generator()
stream = generator.stream(1)
emotion = generator.emotion_vector({"happy": 0.5})[None]
lookahead_ms = np.array([LOOKAHEAD_MS], dtype=np.float32)
jaw = generator.channels.index("CTRL_C_jaw.ty")

sound = mono_16k(*soundfile.read(sys.argv[1]))
hops = len(sound) // generator.hop_samples
for hop in range(hops):
    samples = sound[hop * generator.hop_samples :][: generator.hop_samples]
    rows = stream.step(samples[None], emotion, lookahead_ms, [0])  # [voices, hops, channels]
    time_s = (hop + 1) * generator.hop_samples / generator.sample_rate_hz - LOOKAHEAD_MS / 1000
    opening = float(rows[0, -1, jaw])
    print(f"{time_s:6.2f} s {opening:5.2f} {'#' * round(40 * opening)}")
