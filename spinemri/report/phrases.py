"""The sections of the language files that reports are written from; ``spinemri/phrases/`` holds the sentences.

Wording follows three rules: a number has its unit and its level; what was not looked at is said to be so; and the
absence of a finding is stated only as far as it was measured, never as "no fracture", "no stenosis" or "no metastasis".
"""

from __future__ import annotations

from spinemri.language import Phrases

phrases = Phrases("report")
marrow_phrases = Phrases("report.marrow")
cord_phrases = Phrases("report.cord")
oncology_phrases = Phrases("report.oncology")
page_phrases = Phrases("report.page")
reviewed_phrases = Phrases("report.reviewed")
