"""Rig maps: turn a frame into the named curves of a target rig."""

ARKIT_TABLE = "livelinkface61"
"""The 61 values of a Live Link Face packet, in packet order: ARKit's 52 curves and 9 rotations."""

ARKIT_MAP = "arkit"
"""The shipped rig map for heads with ARKit shapes, whatever program shows them."""

STOCK_MAP = ARKIT_TABLE
"""The one for the stock blueprint of a MetaHuman, which makes its own curves of ARKit's by a pose
asset."""
