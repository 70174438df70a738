"""Measures of a head that several modules expect; what only one of them needs stands in that one.

Depths are counted inwards from the skin.
"""

# How far below the skin the skull may begin
MAX_SKULL_DEPTH_MM = 36.0
MIN_SCALP_MM = 2.0
# Least, usual and greatest thickness of the dark layer below the skull's surface
SKULL_THICKNESS_MM = (2.5, 5.0, 12.0)
# A piece of tissue may be a second head, and a doubtful slice show one, from this area on
MIN_HEAD_MM2 = 2800.0
