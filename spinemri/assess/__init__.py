"""Graded findings from measurements; no geometry here."""

from __future__ import annotations

from spinemri.assess.study import RULES, assess

__all__ = ["RULES", "assess"]
