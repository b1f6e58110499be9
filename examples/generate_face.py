"""Generate the face of a recording: `python examples/generate_face.py speech.wav face.npz`.

The file holds `face`, float32 [time, channels] at 50 rows per second, and the channels' names.
"""

import argparse

import numpy as np
import soundfile

from cstalk_bridge import load_generator

parser = argparse.ArgumentParser(description="Generate the face of a recording.")
parser.add_argument("recording", help="a WAV file")
parser.add_argument("output", help="the .npz file to write")
parser.add_argument("--emotion", default="neutral", help="such as happy; default neutral")
options = parser.parse_args()

samples, rate_hz = soundfile.read(options.recording)
generator = load_generator()
face = generator.generate(samples, rate_hz, options.emotion)
np.savez(options.output, face=face, channels=generator.channels)
print(f"{len(face) / generator.rate_hz:.2f} s, {face.shape[1]} channels: {options.output}")
