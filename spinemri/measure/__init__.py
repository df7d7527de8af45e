"""Measurements of bodies and thecal sac: numbers in patient millimetres, without any grading."""

from __future__ import annotations

from spinemri.measure.catalogue import MEASURES, Measure
from spinemri.measure.study import measure

__all__ = ["MEASURES", "Measure", "measure"]
