"""What a voice seems to feel, hop by hop and causal.

    sound -> VoiceEar -> MoodStream -> evidence per emotion -> MoodIntegrator -> weights 0..1
     20 ms hops         a hop at a time                        over seconds

    sound -> VoiceEar -> Arousal -> louder and higher than usual, or less: -1..1

All is NumPy but for the network, which ONNX Runtime computes (`graph`, `onnx_network`); `network`
is its form in torch, to be trained.

Evidence comes from voiced sound only; silence and noise have none. The weights that come with the
program are a research build: what trained them may not be used commercially (`models/weights`).
Arousal needs no weights.
"""
