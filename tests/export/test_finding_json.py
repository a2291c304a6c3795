from __future__ import annotations

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from tests.analysis.conftest import head
from tumorviewer.analysis import pipeline
from tumorviewer.analysis.finding import OodAssessment
from tumorviewer.export.finding_json import finding_from_json, finding_to_json
from tumorviewer.export.saliency_file import save_saliency
from tumorviewer.language import later
from tumorviewer.study import Placement
from tumorviewer.study.notes import make_note

KEYS = {
    "source",
    "series_instance_uid",
    "volume",
    "model",
    "device",
    "predicted_class",
    "probabilities",
    "slices",
    "pooling",
    "disagreement",
    "key_slices",
    "saliency",
    "flags",
    "named_class",
    "prediction_sets",
    "abstains",
    "candidates",
    "variation",
    "inputs",
    "similar",
    "kind",
    "explanation",
    "notes",
    "withheld",
}


@pytest.fixture
def finding(volume, model):
    return pipeline.analyse_volume(volume, model, target="glioma")


def test_a_finding_survives_json(finding, tmp_path):
    told = json.loads(json.dumps(finding_to_json(finding, saliency_file=tmp_path / "map.nii.gz")))
    assert set(told) == KEYS
    assert set(told["model"]) == {"name", "version", "sha256"}
    assert told["predicted_class"] == finding.predicted_class
    assert list(told["probabilities"]) == list(finding.classes)
    assert list(told["probabilities"].values()) == finding.probabilities.tolist()
    assert [one["index"] for one in told["slices"]] == list(finding.slices)
    rows = [list(one["probabilities"].values()) for one in told["slices"]]
    np.testing.assert_array_equal(rows, finding.slice_probabilities)
    assert told["key_slices"] == list(finding.key_slices)
    assert told["saliency"] == {
        "method": "gradcam",
        "target": "glioma",
        "file": str(tmp_path / "map.nii.gz"),
    }
    assert told["flags"] == [*finding.flags, *finding.saliency.notes]


def test_a_finding_without_maps_says_so(finding):
    assert finding_to_json(replace(finding, saliency=None))["saliency"] is None
    assert finding_to_json(finding)["saliency"]["file"] is None


def test_maps_of_a_placed_volume_are_nifti_in_its_grid(finding, volume, tmp_path):
    path = save_saliency(finding.saliency, volume, tmp_path / "out" / "head")
    assert [file.name for file in path.parent.iterdir()] == ["head.nii.gz"]
    image = nibabel.load(path)
    assert image.shape == volume.array.shape
    assert image.header.get_xyzt_units()[0] == "mm"
    lps = np.diag([-1, -1, 1, 1]) @ image.affine
    np.testing.assert_allclose(lps, volume.affine, atol=1e-4)
    data = image.get_fdata()
    assert not data[0].any()
    for index in finding.slices:
        np.testing.assert_allclose(data[index], finding.saliency.on_slice(index), atol=0.5 / 255)


def test_maps_of_pictures_are_arrays(finding, tmp_path):
    picture = replace(head(), placement=Placement.NONE)
    path = save_saliency(finding.saliency, picture, tmp_path / "a.b")
    assert path == tmp_path / "a.b.npz"
    with np.load(path) as stored:
        np.testing.assert_array_equal(stored["slices"], finding.slices)
        np.testing.assert_array_equal(stored["saliency"][4], finding.saliency.on_slice(5))


def test_a_failed_write_leaves_what_was_there(finding, volume, tmp_path, monkeypatch):
    path = save_saliency(finding.saliency, volume, tmp_path / "head")
    before = path.read_bytes()

    def full(_, to):
        to.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nibabel, "save", full)
    with pytest.raises(OSError, match="No space"):
        save_saliency(finding.saliency, volume, tmp_path / "head")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["head.nii.gz"]


def test_notes_of_the_reader_travel_with_the_finding(volume, model):
    note = make_note("missing_slices", later("A slice is missing."), count=1)
    made = pipeline.analyse_volume(replace(volume, notes=(note,)), model)
    told = json.loads(json.dumps(finding_to_json(made)))
    assert told["notes"] == [note.to_json()]
    more = {"labels": made.labels, "no_tumour": made.no_tumour, "map_notes": ()}
    again = finding_from_json(told | more, made.model)
    assert [one.to_json() for one in again.notes] == told["notes"]
    del told["notes"]  # as earlier versions wrote it
    assert finding_from_json(told | more, made.model).notes == ()


def test_a_class_that_is_not_named_says_why(finding):
    assert finding_to_json(finding)["withheld"] is None
    unsure = replace(finding, abstains="It is not sure.")
    assert finding_to_json(unsure)["withheld"] == "It is not sure."
    kind = OodAssessment("outside", 9.0, ("It is a CT.",))
    told = finding_to_json(replace(finding, ood=kind))
    assert told["named_class"] is None
    assert told["withheld"] == "It is a CT."
