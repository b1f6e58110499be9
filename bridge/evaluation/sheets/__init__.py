"""Contact sheets: made faces as pictures, for the eye that judges them.

`draw.py` has the list; each other module makes the sheets of one question from the same recordings
that the suites measure. `canvas.py` puts pictures side by side, `studio.py` takes them.
"""
