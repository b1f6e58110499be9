"""Speech emotion recognition, hop by hop and causal.

    sound -> VoiceFeatureExtractor -> EmotionEvidenceStream -> EmotionIntegrator -> weights 0..1
     20 ms hops                        evidence per emotion    over seconds

    sound -> VoiceFeatureExtractor -> ArousalEstimator -> -1..1
                                      louder and higher than the speaker's baseline, or less

All is NumPy but for the network, which ONNX Runtime computes (`onnx_network`); `network`
is its form in torch, to be trained.

Evidence comes from voiced sound only; silence and noise have none. The weights that come with the
program are a research build: what trained them may not be used commercially (`models/weights`).
Arousal needs no weights."""
