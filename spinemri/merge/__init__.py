"""Segmentations of several series and stations become one spine: each vertebra once, measured where it is seen best."""

from spinemri.merge.parts import parts
from spinemri.merge.spine import merge

__all__ = ["merge", "parts"]
