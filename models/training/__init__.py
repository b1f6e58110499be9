"""How the default weights are made, from recordings to a weights file.

    synthesis -> prepare (align -> listener -> articulation -> corpus -> store) -> train

More speech is synthesised where it is wanted; phones are aligned to every recording; a listener
learns to guess phones where no words are known; a small offline network learns from the captured
faces how guessed phones move a mouth and carries that to every voice; the targets join captured
curves with phonetic knowledge; the generator learns them from sound alone.
"""
