"""The speech encoder's training: OpenAI Whisper tiny.en's third layer first, then phones.

python -m cstalk_bridge.models.training.encoder.prepare     # sound, the teacher's layer, phones
python -m cstalk_bridge.models.training.encoder.distil      # the layer, causally
python -m cstalk_bridge.models.training.encoder.phones      # phones through it; writes the weights
"""
