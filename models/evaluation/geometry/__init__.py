"""Faces in millimetres: points of a head under ARKit curves, and what lips, teeth and brows do.

Pure functions of arrays; `bridge.evaluation` finds the points on a head and maps the face board.
"""
