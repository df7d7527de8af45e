"""What other tools' values mean: names as spinemri writes them, or why they cannot be understood."""

from __future__ import annotations

import json

import pytest

from spinemri.anatomy import Level, Structure, StructureKind
from spinemri.errors import InputError
from spinemri.evaluate.label_table import own_values, read_labels_map, read_result_table, structures_named
from spinemri.report.masks import label_of
from spinemri.segmentation import label_value

L4, L5 = Level("L4"), Level("L5")


@pytest.mark.parametrize(
    ("text", "structures"),
    [
        ("vertebral body L4", (Structure(StructureKind.VERTEBRAL_BODY, L4),)),
        ("vertebral_body l4", (Structure(StructureKind.VERTEBRAL_BODY, L4),)),
        ("Disc L4-L5", (Structure(StructureKind.DISC, L4, L5),)),
        ("disc", (Structure(StructureKind.DISC),)),
        ("thecal sac + cord", (Structure(StructureKind.THECAL_SAC), Structure(StructureKind.CORD))),
        (
            "vertebra L4",
            (Structure(StructureKind.VERTEBRAL_BODY, L4), Structure(StructureKind.POSTERIOR_ELEMENTS, L4)),
        ),
    ],
)
def test_a_name_is_understood(text, structures):
    assert structures_named(text) == structures


@pytest.mark.parametrize("text", ["", "spine", "vertebral body L9", "disc L4-L5-S1", "L4", "cord +"])
def test_a_name_that_means_nothing_is_refused(text):
    with pytest.raises(InputError, match="names no structure: expected 'vertebral body L4'"):
        structures_named(text)


def test_every_structure_that_is_written_can_be_read_back(tmp_path):
    """By its value alone, and by the name in the table beside a mask."""
    own = own_values()
    assert len(own) == len(set(own.values())) > 150
    for value, (structure,) in own.items():
        assert label_value(structure) == value
    table = {"labels": {str(value): label_of(structure) for value, (structure,) in own.items()}}
    (tmp_path / "segmentation.json").write_text(json.dumps(table))
    assert read_result_table(tmp_path / "segmentation.json") == own


def test_a_map_leaves_the_background_out(tmp_path):
    path = tmp_path / "map.json"
    path.write_text('{"0": "vertebral body L4", "41": "vertebral body L4"}')
    assert read_labels_map(path) == {41: structures_named("vertebral body L4")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "map.json: expected a JSON object"),
        ("{", "map.json cannot be read as JSON"),
        ('{"x": "cord"}', "map.json: expected whole numbers as keys"),
        ('{"4": "chord"}', "map.json, value 4: this names no structure"),
    ],
)
def test_a_map_that_is_none_is_refused(tmp_path, text, said):
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_labels_map(path)


def test_a_table_that_is_none_is_refused(tmp_path):
    path = tmp_path / "segmentation.json"
    with pytest.raises(InputError, match=r"segmentation\.json: cannot be read \(No such file"):
        read_result_table(path)
    path.write_text('{"labels": {"4": {}}}')
    with pytest.raises(InputError, match="expected 'labels' with a 'name' per value"):
        read_result_table(path)
