"""Evaluation: one command and one table for any weights file and any look-ahead.

    python -m cstalk_bridge.models.evaluation --weights models/weights/cstalk.safetensors \
        --lookahead-ms 20,60,120

`candidates.py` and `predictors.py` hold the models under test, `recordings.py` and `voices.py` the
test data, `catalog.py` the suites with their measures and bars, `suites/` the code of each suite.
`cstalk_bridge.models.metrics` computes the measures as pure functions. `comparison.py` compares the
results of several evaluations."""
