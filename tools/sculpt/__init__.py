"""The bundled head, made from formulas: `python -m tools.sculpt` writes `bridge/heads/head.glb`.

All formulas are in centimetres with the origin in the middle of the skull; +Y is up, the face looks
along +Z and the character's left is +X."""
