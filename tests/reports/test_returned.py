"""What comes back from an archive lies where it lay, whoever wrote it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest

from tests.reports.made import clean_series, content, multi_frame_file, verdict
from tests.reports.test_dicom_objects import first_object, written
from tests.reports.test_others_libraries import COMMON, segment
from tumorviewer.errors import InputError
from tumorviewer.reports.polygons import trace_outline
from tumorviewer.reports.returned import read_returned

ORDERS = pytest.mark.parametrize("order", ["upwards", "downwards", "oblique", "multi-frame"])


@pytest.fixture
def result(tmp_path, order):
    if order == "multi-frame":
        multi_frame_file(tmp_path / "in" / "a.dcm")
        return content(tmp_path / "in")
    return content(clean_series(tmp_path / "in", order))


def come_back(dataset, result, tmp_path):
    path = written(dataset, tmp_path / "object.dcm")
    return read_returned(path, result.source, result.volume.array.shape)


@ORDERS
def test_outlines_maps_and_polygons_of_ours(result, tmp_path) -> None:
    (outline,) = come_back(first_object("seg", result), result, tmp_path).outlines
    assert outline.label == "Tumour"
    assert np.array_equal(outline.mask, result.outline)
    maps = come_back(first_object("pm", result), result, tmp_path).maps
    assert len(maps) == len(result.outline)
    for index, values in result.maps.items():
        assert np.array_equal(maps[index], values)
    polygons = come_back(first_object("pr", result), result, tmp_path).polygons
    assert sorted(index for index, _ in polygons) == [1, 4]
    for index, points in polygons:
        assert np.allclose(points, trace_outline(result.outline[index])[0])


@pytest.mark.parametrize("order", ["upwards", "downwards", "oblique"])
def test_outlines_of_others_with_frames_left_out_and_without_references(result, tmp_path) -> None:
    dataset = hd.seg.Segmentation(
        list(result.source.headers), result.outline, "BINARY", [segment()], **COMMON
    )
    (outline,) = come_back(dataset, result, tmp_path).outlines
    assert np.array_equal(outline.mask, result.outline)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence
    (outline,) = come_back(dataset, result, tmp_path).outlines
    assert np.array_equal(outline.mask, result.outline)


@pytest.mark.parametrize("order", ["upwards"])
def test_verdicts_are_a_readers_only_if_verified(result, tmp_path) -> None:
    signed = replace(result, verdict=verdict())
    found = come_back(first_object("sr", signed), result, tmp_path).verdict
    assert found.is_verified
    assert found.verifier == "Reader^"
    assert found.time == "20261130123015"
    assert ("Finding", "Glioma") in found.statements
    assert ("Presence", "Present") in found.statements
    assert not come_back(first_object("sr", result), result, tmp_path).verdict.is_verified


@pytest.mark.parametrize("order", ["upwards"])
def test_what_does_not_belong_to_the_series_is_told(result, tmp_path) -> None:
    other = replace(
        result.source,
        headers=tuple(map(deepcopy, result.source.headers)),
    )
    for header in other.headers:
        header.SOPInstanceUID += ".1"
        header.FrameOfReferenceUID = "1.2.3"
    path = written(first_object("seg", result), tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="nothing in this series"):
        read_returned(path, other, result.volume.array.shape)
    with pytest.raises(InputError, match="rows and columns"):
        read_returned(path, result.source, (7, 10, 10))
    with pytest.raises(InputError, match="no outline"):
        come_back(first_object("sc", result), result, tmp_path)
    (tmp_path / "x.dcm").write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        read_returned(tmp_path / "x.dcm", result.source, result.volume.array.shape)
