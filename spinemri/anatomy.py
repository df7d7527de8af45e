"""Levels and structures of the spine, ordered as in the body and named as in a radiology report.

Six lumbar, eleven or thirteen thoracic vertebrae are variants, not errors. Relative levels (V1, V2 … from the top)
are used when nothing in the image anchors the count; they are never compared with true levels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

from spinemri.errors import LevelError, quoted

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

_COUNTS = {"C": 7, "T": 13, "L": 6, "S": 5}
_FIRST = {"C": 0, "T": 7, "L": 20, "S": 26}
_MAX_RELATIVE = 30


@total_ordering
@dataclass(frozen=True)
class Level:
    """A vertebral level: C1 to C7, T1 to T13, L1 to L6, S1 to S5, or relative V1 to V30.

    ``Level("L4") == Level.parse("l4")``; ordered from head to foot. Raises LevelError for other names, and
    when a relative level is compared with a true one.
    """

    name: str

    def __post_init__(self) -> None:
        match = re.fullmatch(r"([CTLSV])([1-9][0-9]?)", self.name)
        highest = _MAX_RELATIVE if match and match[1] == "V" else _COUNTS.get(match[1], 0) if match else 0
        if not match or not 1 <= int(match[2]) <= highest:
            raise LevelError(f"level {quoted(self.name)}: expected C1-C7, T1-T13, L1-L6, S1-S5 or relative V1-V30")

    @classmethod
    def parse(cls, text: str) -> Level:
        """Level from text as people type it: 'L4', 'l4', 'th12', 'D12'."""
        cleaned = re.sub(r"^(TH|D)(?=\d)", "T", text.strip().upper())
        return cls(cleaned)

    @property
    def region(self) -> str:
        """'C', 'T', 'L', 'S', or 'V' for a relative level."""
        return self.name[0]

    @property
    def number(self) -> int:
        """Count within the region, from 1."""
        return int(self.name[1:])

    @property
    def is_relative(self) -> bool:
        """Whether nothing anchored the count (V1, V2 …)."""
        return self.region == "V"

    @property
    def rank(self) -> int:
        """Position from the head: C1 = 1, C7 = 7, T1 = 8, T13 = 20, L1 = 21, L6 = 26, S1 = 27; V1 = 1."""
        return self.number + (0 if self.is_relative else _FIRST[self.region])

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        if self.is_relative != other.is_relative:
            raise LevelError(f"{self} and {other}: a relative level has no order among true levels")
        return self.rank < other.rank

    def __str__(self) -> str:
        return self.name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda v: v if isinstance(v, cls) else cls.parse(str(v)),
            serialization=core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema()),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": "^(C[1-7]|T([1-9]|1[0-3])|L[1-6]|S[1-5]|V([1-9]|[12][0-9]|30))$"}


STANDARD_LEVELS: tuple[Level, ...] = tuple(
    Level(f"{region}{n}") for region, count in (("C", 7), ("T", 12), ("L", 5), ("S", 1)) for n in range(1, count + 1)
)
"""C1 to S1 of a spine without numbering variants, head to foot."""


class StructureKind(StrEnum):
    """What a segmented structure is. The body of S1 is a VERTEBRAL_BODY; SACRUM is the rest of the sacrum."""

    VERTEBRAL_BODY = "vertebral_body"
    POSTERIOR_ELEMENTS = "posterior_elements"
    DISC = "disc"
    THECAL_SAC = "thecal_sac"
    CORD = "cord"
    SACRUM = "sacrum"
    LESION = "lesion"


@dataclass(frozen=True)
class Structure:
    """One anatomical structure: its kind and, where it belongs to one, its level.

    A disc has the level above it as ``level`` and the level below as ``lower`` and is named 'L4-L5'. Thecal sac
    and cord run through all levels; a measurement of them at a disc or mid-body carries that place in its own
    structure (kind THECAL_SAC with ``level``, and ``lower`` when it is at a disc).
    """

    kind: StructureKind
    level: Level | None = None
    lower: Level | None = None

    @property
    def place(self) -> str:
        """'L4' for a vertebra, 'L4-L5' for a disc or a disc level, '' for structures without a level."""
        return "-".join(str(v) for v in (self.level, self.lower) if v is not None)

    def __str__(self) -> str:
        return f"{self.kind.value.replace('_', ' ')} {self.place}".strip()
