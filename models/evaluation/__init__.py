"""How good a generator is: one command, one table, for any weights file and any look-ahead.

    python -m cstalk_bridge.models.evaluation --weights models/weights/cstalk.safetensors \
        --lookahead-ms 20,60,120

`candidates.py` and `predictors.py` are the models under test, `recordings.py` and `voices.py` what
they are measured on, `measures.py` the names and bars, `suites/` what is measured on which
recordings; `cstalk_bridge.models.metrics` has the measures as pure functions. `comparison.py` sets
the results of several evaluations side by side."""
