"""How many lesions there are: a count, and no prognosis.

Vertebrae are counted by ``marrow.py``; here lesions are, those above 5 mm as focal after MY-RADS. Where the marrow is
changed as a whole, lesions cannot be counted. A study of the spine without diffusion gives no response category.
Source: MY-RADS, PMC9935955.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinemri.assess.marrow import DIFFUSE, is_sure
from spinemri.finding import Certainty, Finding
from spinemri.norms import source_of, threshold

if TYPE_CHECKING:
    from spinemri.assess.evidence import Evidence

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
        text = "Number of lesions: not assessable, the marrow was not searched."
        return Finding(certainty=Certainty.NOT_ASSESSABLE, statement=text, **common)
    if not lesions:
        return Finding(certainty=Certainty.ABSENT, statement="No tumour-like lesion to count.", **common)
    sizes = [evidence.value(f"{lesion.id}.lesion_diameter") for lesion in lesions]
    focal = sum(size is not None and size > FOCAL_ABOVE_MM for size in sizes)
    small, unknown = sum(size is not None and size <= FOCAL_ABOVE_MM for size in sizes), sizes.count(None)
    parts = [f"{focal} focal, above {FOCAL_ABOVE_MM:g} mm"]
    parts += [f"{small} of {FOCAL_ABOVE_MM:g} mm or less"] if small else []
    parts += [f"{unknown} of unknown size"] if unknown else []
    hidden = any(f.certainty is Certainty.PRESENT for f in evidence.of_kind(DIFFUSE))
    more = "; more may be hidden in the diffuse change, which cannot be counted" if hidden else ""
    text = (
        f"Tumour-like lesions: {len(lesions)} ({', '.join(parts)}); {_by_region(evidence)}{more}. A count and no "
        "prognosis; a study of the spine without diffusion gives no response category (MY-RADS, MET-RADS)."
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
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count or name in seen)
