"""What a voice seems to feel, hop by hop and causal.

    sound -> VoiceFeatures -> MoodNetwork -> evidence per emotion -> MoodIntegrator -> weights 0..1
     20 ms hops              a hop at a time                         over seconds

    sound -> VoiceFeatures -> Arousal -> louder and higher than usual, or less: -1..1

Evidence comes from voiced sound only; silence and noise have none. The weights that come with the
program are a research build: what trained them may not be used commercially (`models/weights`).
Arousal needs no weights.
"""
