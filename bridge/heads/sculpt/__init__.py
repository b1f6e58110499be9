"""Our own head, made from formulas: `python -m bridge.heads.sculpt` writes `head.glb`.

All formulas are in centimetres with the origin in the middle of the skull; +Y is up, the face looks
along +Z and the character's left is +X.
"""
