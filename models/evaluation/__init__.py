"""How good a generator is: one command, one table, for any weights file and any look-ahead.

    python -m models.evaluation --weights models/weights/cstalk.safetensors --lookahead-ms 20,60,120

`metrics/` holds the measures as pure functions, `loading.py` the recordings, `suites/` what is
measured on which of them, `measures.py` the names and bars, `makers.py` what is measured.
`comparison.py` sets the results of several evaluations side by side.
"""
