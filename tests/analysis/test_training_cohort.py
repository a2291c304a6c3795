"""A scan beside the training data, in words."""

from __future__ import annotations

import numpy as np
import pytest

from tumorviewer.analysis.trust.training_cohort import (
    Facts,
    collect_facts,
    compare_with_cohort,
    measure_intensities,
    parse_age,
)
from tumorviewer.models.trust_measures import Cohort

COHORT = Cohort(
    {
        "slice_thickness": (0.9, 1.0, 1.0, 3.0, 4.0, 5.0, 5.0, 5.0, 8.0),
        "age": (1, 18, 20, 40, 50, 60, 80, 85, 99),
    },
    {"vendor": {"SIEMENS": 0.6, "GE": 0.4}},
)


def test_what_dicom_and_geometry_say():
    tags = {
        "SliceThickness": "6", "MagneticFieldStrength": "15000", "Manufacturer": " SIEMENS ",
        "PatientAge": "045Y", "PatientSex": "F",
    }  # fmt: skip
    affine = np.diag([6.5, 0.5, 0.4, 1])
    told = collect_facts(tags, affine, (20, 256, 320))
    assert told.numbers == pytest.approx(
        {"side": 320, "slice_thickness": 6, "field_strength": 1.5, "age": 45,
         "pixel_spacing": 0.5, "slice_distance": 6.5}
    )  # fmt: skip
    assert told.words == {"vendor": "SIEMENS", "sex": "F"}


@pytest.mark.parametrize(
    ("text", "years"), [("045Y", 45), ("006M", 0.5), ("", None), ("45", None), ("Y", None)]
)
def test_ages(text, years):
    assert parse_age(text) == (years if years is None else pytest.approx(years))


def test_nonsense_in_tags_is_not_known():
    told = collect_facts({"SliceThickness": "thin", "MagneticFieldStrength": "0"}, None, (1, 9, 9))
    assert told.numbers == {"side": 9}


def test_what_is_unlike_is_said_and_what_is_unknown_too():
    scan = Facts({"slice_thickness": 6.0, "age": 30.0}, {"vendor": "PHILIPS"})
    assert compare_with_cohort(scan, COHORT) == (
        "Slice thickness: 6.0 mm; training data 1.0–5.0 mm.",
        "Vendor: PHILIPS; none of the training data.",
        "The training data say nothing of: field strength, sex.",
    )


def test_what_is_alike_is_not_said():
    scan = Facts({"slice_thickness": 4.0, "age": 30.0}, {"vendor": "GE"})
    assert compare_with_cohort(scan, COHORT) == (
        "The training data say nothing of: field strength, sex.",
    )


def test_intensities_are_of_the_head_alone():
    picture = np.zeros((64, 64), np.uint8)
    picture[20:40, 20:40] = 100
    found = measure_intensities(np.stack([picture, np.zeros_like(picture)]))
    assert found["brightness"].tolist() == [100, 0]
    assert found["contrast"].tolist() == [0, 0]
