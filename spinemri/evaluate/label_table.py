"""What the voxel values of a mask mean, whoever made it.

Names are spinemri's own, as in ``segmentation.json``: 'vertebral body L4', 'posterior elements L4', 'disc L4-L5',
'thecal sac', 'cord', 'sacrum'. Without a level a name stands for all of that kind. 'vertebra L4' is body with posterior
elements, and ' + ' joins what a tool draws as one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import InputError
from spinemri.given_text import given_text
from spinemri.segmentation import label_value

if TYPE_CHECKING:
    from pathlib import Path

Names = dict[int, tuple[Structure, ...]]

_COUNTS = {"C": 7, "T": 13, "L": 6, "S": 1, "V": 30}
_VERTEBRA = (StructureKind.VERTEBRAL_BODY, StructureKind.POSTERIOR_ELEMENTS)
_WITHOUT_LEVEL = (StructureKind.THECAL_SAC, StructureKind.CORD, StructureKind.SACRUM)


def structures_named(text: str) -> tuple[Structure, ...]:
    """The structures that a name stands for.

    Raises
    ------
    InputError
        If it is no such name.
    """
    found: list[Structure] = []
    for part in text.replace("_", " ").split("+"):
        words = part.split()
        place = words.pop() if words and any(c.isdigit() for c in words[-1]) else ""
        kind = " ".join(words).lower().replace(" ", "_")
        try:
            levels = [Level.parse(name) for name in place.split("-") if name]
            kinds = _VERTEBRA if kind == "vertebra" else (StructureKind(kind),)
            found += [Structure(k, *levels) for k in kinds]
        except (ValueError, TypeError) as error:
            raise InputError(
                "this names no structure: expected 'vertebral body L4', 'posterior elements L4', "
                "'vertebra L4', 'disc L4-L5', 'thecal sac', 'cord' or 'sacrum'"
            ) from error
    return tuple(found)


def read_labels_map(path: Path) -> Names:
    """Meaning of each value from a JSON object ``{"41": "vertebral body L1", …}``; values left out are ignored.

    Raises
    ------
    InputError
        If the file is missing, is no such object, or a name is unknown.
    """
    found: Names = {}
    for key, name in _json(path).items():
        try:
            value = int(key)
        except ValueError as error:
            raise InputError(f"{path.name}: expected whole numbers as keys, such as 41") from error
        try:
            if value:
                found[value] = structures_named(str(name))
        except InputError as error:
            raise InputError(f"{path.name}, value {value}: {error}") from error
    return found


def read_result_table(path: Path) -> Names:
    """Meaning of each value from the ``segmentation.json`` that spinemri writes beside its masks.

    Raises
    ------
    InputError
        If the file is missing or not of that form.
    """
    content = _json(path)
    try:
        return {int(value): structures_named(label["name"]) for value, label in content["labels"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path.name}: expected 'labels' with a 'name' per value") from error


def own_values() -> Names:
    """Meaning of every value that spinemri writes."""
    levels = [Level(f"{region}{n}") for region, count in _COUNTS.items() for n in range(1, count + 1)]
    structures = [Structure(kind) for kind in _WITHOUT_LEVEL]
    structures += [Structure(kind, level) for kind in _VERTEBRA for level in levels]
    structures += [Structure(StructureKind.DISC, level, _below(level)) for level in levels if level.name != "S1"]
    return {label_value(structure): (structure,) for structure in structures}


def _below(level: Level) -> Level:
    """The level below, in a spine without numbering variants."""
    following = {"C7": "T1", "T12": "L1", "T13": "L1", "L5": "S1", "L6": "S1", "V30": "V30"}
    return Level(following.get(level.name, f"{level.region}{level.number + 1}"))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(given_text(path, ""))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} cannot be read as JSON ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: expected a JSON object")
    return content
