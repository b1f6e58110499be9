"""Training of the default weights, from recordings to a weights file.

    synthesis -> prepare -> train
    prepare: alignment -> phone_recognizer -> captured_faces -> targets -> corpus

`synthesis` (optional) makes more speech; phones are aligned to every recording; the speech
encoder's heads give phone probabilities; the articulation network, trained on captured faces,
predicts mouth curves from them for every voice; the targets join captured curves with phonetic
rules; the generator is trained to predict them from sound alone."""
