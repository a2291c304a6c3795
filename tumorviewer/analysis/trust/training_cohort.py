"""A scan beside whom a model was trained on: what DICOM, geometry and intensities say. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.preprocess import find_bright
from tumorviewer.language import current_language, later, number, percent, tr
from tumorviewer.models.trust_measures import Cohort

PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
"""Of :attr:`tumorviewer.models.trust_measures.Cohort.numbers`."""


@dataclass(frozen=True)
class Quantity:
    """Something that is known by a number."""

    title: str
    unit: str = ""
    form: str = ".0f"


NUMBERS = {
    "slice_thickness": Quantity(later("slice thickness"), "mm", ".1f"),
    "slice_distance": Quantity(later("distance of slices"), "mm", ".1f"),
    "pixel_spacing": Quantity(later("pixel spacing"), "mm", ".2f"),
    "field_strength": Quantity(later("field strength"), "T", ".1f"),
    "age": Quantity(later("age"), later("years")),
    "side": Quantity(later("longer side of the picture"), later("pixels")),
    "brightness": Quantity(later("brightness of the head"), later("of 255")),
    "contrast": Quantity(later("contrast of the head"), later("of 255")),
}
SHARES = {"vendor": later("vendor"), "scanner": later("scanner"), "sex": later("sex")}
_TAGS = {"vendor": "Manufacturer", "scanner": "ManufacturerModelName", "sex": "PatientSex"}
_NUMBER_TAGS = {"slice_thickness": "SliceThickness", "field_strength": "MagneticFieldStrength"}
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_ASKED = ("field_strength", "slice_thickness", "vendor", "age", "sex")
"""What a reader will want to know of the training data."""
_HIGHEST_FIELD_T = 30.0


@dataclass(frozen=True)
class Facts:
    """What is known of one scan, by keys of :data:`NUMBERS` and :data:`SHARES`."""

    numbers: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


def collect_facts(
    tags: Mapping[str, str], affine: NDArray[np.float64] | None, shape: tuple[int, ...]
) -> Facts:
    """What headers say of a scan.

    Parameters
    ----------
    tags
        DICOM keywords to text; none for other formats.
    affine
        4×4 from voxel to mm; None where there are no millimetres.
    shape
        Slices, rows, columns.
    """
    numbers = {"side": float(max(shape[1:3]))}
    for key, keyword in _NUMBER_TAGS.items():
        if (value := _value(tags.get(keyword, ""))) is not None:
            numbers[key] = value
    if numbers.get("field_strength", 0) > _HIGHEST_FIELD_T:
        numbers["field_strength"] /= 1e4  # given in gauss by some old scanners
    if (years := parse_age(tags.get("PatientAge", ""))) is not None:
        numbers["age"] = years
    if affine is not None:
        between, *within = np.linalg.norm(affine[:3, :3], axis=0)
        numbers["pixel_spacing"] = float(max(within))
        if shape[0] > 1:
            numbers["slice_distance"] = float(between)
    words = {key: " ".join(tags.get(keyword, "").split()) for key, keyword in _TAGS.items()}
    return Facts(numbers, {key: text for key, text in words.items() if text})


def parse_age(text: str) -> float | None:
    """Years of an Age String such as ``045Y`` (PS3.5 6.2); None if it is none."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text.strip().upper())
    return int(match[1]) * _YEARS[match[2]] if match else None


def measure_intensities(pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Median and standard deviation of the grey levels of each picture's foreground.

    Parameters
    ----------
    pictures
        ``(N, S, S)``, or ``(N, T, S, S)`` with neighbours, as the network sees them.
    """
    seen = pictures if pictures.ndim == 3 else pictures[:, pictures.shape[1] // 2]
    inside = [picture[find_bright(picture)] for picture in seen]
    levels = [some if some.size else np.zeros(1) for some in inside]
    return {
        "brightness": np.array([float(np.median(some)) for some in levels]),
        "contrast": np.array([float(np.std(some)) for some in levels]),
    }


def compare_with_cohort(scan: Facts, cohort: Cohort) -> tuple[str, ...]:
    """Where a scan is unlike the training data, and what these do not say; a sentence each."""
    said = [
        sentence
        for key, value in scan.numbers.items()
        if (sentence := _number_beside(key, value, cohort.numbers.get(key)))
    ]
    said += [
        tr(
            "{what}: {value}; none of the training data.",
            what=capital(quantity_title(key)),
            value=value,
        )
        for key, value in scan.words.items()
        if key in cohort.shares and value not in cohort.shares[key]
    ]
    if unsaid := [key for key in _ASKED if key not in cohort.numbers and key not in cohort.shares]:
        said.append(
            tr(
                "The training data say nothing of: {what}.",
                what=", ".join(map(quantity_title, unsaid)),
            )
        )
    return tuple(said)


def quantity_title(key: str) -> str:
    """What a key stands for, in the user's language."""
    return tr(NUMBERS[key].title if key in NUMBERS else SHARES[key])


def capital(text: str) -> str:
    """A text as a sentence or a cell begins with it; Turkish has an i of its own."""
    first = "İ" if current_language() == "tr" and text[:1] == "i" else text[:1].upper()
    return first + text[1:]


def format_quantity(key: str, value: float) -> str:
    """A number with its unit."""
    quantity = NUMBERS[key]
    return f"{number(value, quantity.form)} {tr(quantity.unit)}".strip()


def format_range(key: str, percentiles: tuple[float, ...]) -> str:
    """Where the middle 98 % of the training data lie: ``1.0–5.0 mm``."""
    low, high = percentiles[1], percentiles[-2]
    return f"{number(low, NUMBERS[key].form)}–{format_quantity(key, high)}"


def format_shares(shares: Mapping[str, float], most: int = 4) -> str:
    """The most frequent values: ``SIEMENS 60 %, GE 40 %``."""
    first = sorted(shares.items(), key=lambda pair: -pair[1])[:most]
    return ", ".join(f"{name} {percent(share)}" for name, share in first)


def _number_beside(key: str, value: float, known: tuple[float, ...] | None) -> str:
    if known is None or known[1] <= value <= known[-2]:
        return ""
    return tr(
        "{what}: {value}; training data {range}.",
        what=capital(quantity_title(key)),
        value=format_quantity(key, value),
        range=format_range(key, known),
    )


def _value(text: str) -> float | None:
    """The first of a decimal string's values; None if it is no positive number."""
    try:
        value = float(text.split("\\")[0])
    except ValueError:
        return None
    return value if 0 < value < np.inf else None
