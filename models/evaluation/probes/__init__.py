"""How much of phones and lips features tell: one small network for all, on frozen features.

    python -m cstalk_bridge.models.evaluation.probes --encoder models/weights/encoder.safetensors

A probe learns phones of voices that trained, and lips of one man (GRID), and is asked about people
whom neither it nor the features were taught on: RAVDESS's actors and, where they lie in the data
folder, the strangers."""
