"""Speech emotion recognition, hop by hop and causal.

    sound -> VoiceFeatureExtractor -> EmotionEvidenceStream -> EmotionIntegrator -> weights 0..1
     20 ms hops                        evidence per emotion    over seconds

    sound -> VoiceFeatureExtractor -> ArousalEstimator -> -1..1
                                      louder and higher than the speaker's baseline, or less

Everything is NumPy except the network, which runs in ONNX Runtime (`weights`); `network` is its
PyTorch form for training.

Evidence comes from voiced sound only; silence and noise have none. The shipped weights are a
research build, whose training data may not be used commercially (`models/weights`). Arousal needs
no weights."""
