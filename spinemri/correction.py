"""What a person changed in a mask: given back to the program, against what the program itself would have drawn.

A record in words and counts, without voxels. The mask that was given back is what is measured; the record says how it
differs, so that a reader of the report sees which numbers rest on whose hand.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from spinemri.anatomy import Level, StructureKind

BY_PERSON = "corrected by a person"
"""In the words on what made a mask (``Segmentation.made_by``)."""


class StructureChange(BaseModel):
    """One structure whose voxels differ. ``dice`` is 2 |A and B| / (|A| + |B|): 0 for one that only one mask has."""

    model_config = ConfigDict(frozen=True)

    kind: StructureKind
    place: str = Field(description="'L4', 'L4-L5', or '' for a structure without a level")
    before: int = Field(ge=0, description="voxels in the program's mask, under the names that hold now")
    after: int = Field(ge=0, description="voxels in the person's mask")
    added: int = Field(ge=0, description="voxels of the person's that the program's lacks")
    removed: int = Field(ge=0, description="voxels of the program's that the person's lacks")
    dice: float = Field(ge=0, le=1)


class CorrectedMask(BaseModel):
    """One mask that a person gave back, and what differs from the program's mask of that series."""

    model_config = ConfigDict(frozen=True)

    series_uid: str
    series: str = Field(description="label of the series: '3', or '3-1' (stack)")
    file: str = Field(description="checksum of the file, or its name where identifiers are kept")
    added: int = Field(ge=0, description="voxels that the person drew and the program did not")
    removed: int = Field(ge=0, description="voxels that the program drew and the person did not")
    relabelled: int = Field(ge=0, description="voxels that both drew, as different structures")
    voxel_mm3: float = Field(gt=0)
    renamed: tuple[tuple[Level, Level], ...] = Field(
        default=(),
        description="bodies with another level: what the program called them, and what the person calls them",
    )
    structures: tuple[StructureChange, ...] = Field(default=(), description="those that differ, by kind and level")

    @property
    def is_unchanged(self) -> bool:
        """Whether the person gave back what the program draws."""
        return not (self.added or self.removed or self.relabelled or self.renamed)
