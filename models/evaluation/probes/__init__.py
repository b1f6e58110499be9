"""Probes: how well frozen features predict phones and lips, by one small network each.

    python -m cstalk_bridge.models.evaluation.probes --encoder models/weights/encoder.safetensors

A probe is trained on phones of training voices or on lips of one man (GRID), and tested on people
who trained neither it nor the features: RAVDESS's actors and, where the data folder has them, the
strangers."""
