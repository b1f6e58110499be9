"""How the default weights are made, from recordings to a weights file.

    synthesis -> prepare -> train
    prepare: alignment -> phone_recognizer -> articulation -> targets -> corpus

More speech is synthesised where it is wanted; phones are aligned to every recording; a recogniser
learns to guess phones where no words are known; a small offline network learns from the captured
faces how guessed phones move a mouth and carries that to every voice; the targets join captured
curves with phonetic knowledge; the generator learns them from sound alone."""
