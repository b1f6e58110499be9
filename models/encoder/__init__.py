"""A causal, speaker-independent speech encoder: sound in, 384 features 50 times a second out.

`network.py` is the encoder and runs it hop by hop and over whole recordings, `weights.py`
reads and writes its files. `cstalk_bridge.models.training.encoder` trains it."""
