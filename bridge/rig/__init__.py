"""Rig maps: turn a frame into the named curves of a target rig."""

ARKIT_TABLE = "livelinkface61"
"""The 61 values of a Live Link Face packet, in packet order: ARKit's 52 curves and 9 rotations."""

ARKIT_MAP = "arkit"
"""The shipped rig map for heads with ARKit shapes."""

STOCK_MAP = ARKIT_TABLE
"""The shipped rig map for the stock Blueprint of a MetaHuman, which converts ARKit curves by a pose
asset of its own."""
