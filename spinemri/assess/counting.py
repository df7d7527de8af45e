"""How many lesions there are: a count, and no prognosis.

Vertebrae are counted by ``marrow.py``; here lesions are, those above 5 mm as focal after MY-RADS. Where the marrow is
changed as a whole, lesions cannot be counted. A study of the spine without diffusion gives no response category.
Source: MY-RADS, PMC9935955.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.marrow import DIFFUSE, is_sure
from spinemri.finding import Certainty, Finding
from spinemri.language import Phrases
from spinemri.norms import source_of, threshold
from spinemri.terms import term

if TYPE_CHECKING:
    from spinemri.assess.evidence import Evidence

phrases = Phrases("assess.counting")

KIND = "lesion_count"
FOCAL_ABOVE_MM = threshold("count.focal_above")
RULE = f"tumour-like lesions are counted, those of more than {FOCAL_ABOVE_MM:g} mm as focal; counts only, no prognosis"
SOURCE = source_of("count.focal_above")
_REGIONS = {"cervical": "C", "thoracic": "T", "lumbosacral": "LS", "unnamed": "V"}


def count_finding(evidence: Evidence) -> Finding:
    """The number of tumour-like lesions, or why there is none."""
    common = {"id": KIND, "kind": KIND, "rule": RULE, "source": SOURCE}
    lesions = evidence.tumour_like
    if not evidence.searched:
        text = phrases.NUMBER_LESIONS_NOT_ASSESSABLE_MARROW
        return Finding(certainty=Certainty.NOT_ASSESSABLE, statement=text, **common)
    if not lesions:
        return Finding(certainty=Certainty.ABSENT, statement=phrases.NO_TUMOUR_LIKE_LESION_COUNT, **common)
    sizes = [evidence.value(f"{lesion.id}.lesion_diameter") for lesion in lesions]
    focal = sum(size is not None and size > FOCAL_ABOVE_MM for size in sizes)
    small, unknown = sum(size is not None and size <= FOCAL_ABOVE_MM for size in sizes), sizes.count(None)
    parts = [phrases.FOCAL_ABOVE_MM.format(focal=focal, limit=FOCAL_ABOVE_MM)]
    parts += [phrases.MM_OR_LESS.format(small=small, limit=FOCAL_ABOVE_MM)] if small else []
    parts += [phrases.UNKNOWN_SIZE.format(unknown=unknown)] if unknown else []
    hidden = any(f.certainty is Certainty.PRESENT for f in evidence.of_kind(DIFFUSE))
    more = phrases.MORE_MAY_HIDDEN_DIFFUSE_CHANGE if hidden else ""
    text = phrases.TUMOUR_LIKE_LESIONS_COUNT_NO.format(
        count=len(lesions), items=", ".join(parts), by_region=_by_region(evidence), more=more
    )
    sure = any(is_sure(lesion) for lesion in lesions)
    return Finding(
        levels=tuple(dict.fromkeys(level for lesion in lesions for level in lesion.levels)),
        grade="diffuse, not countable" if hidden else str(len(lesions)),
        certainty=Certainty.PRESENT if sure else Certainty.BORDERLINE,
        statement=text,
        evidence=tuple(f"{lesion.id}.lesion_diameter" for lesion in lesions),
        **common,
    )


def _by_region(evidence: Evidence) -> str:
    """'thoracic 2, lumbosacral 0': by the vertebra that holds most of each lesion; no region that nobody searched."""
    homes = [lesion.level.region for lesion in evidence.tumour_like]
    counts = {name: sum(home in regions for home in homes) for name, regions in _REGIONS.items()}
    seen = {name for name, regions in _REGIONS.items() if {v.region for v in evidence.screen.assessed} & {*regions}}
    return ", ".join(f"{term(name)} {count}" for name, count in counts.items() if count or name in seen)
