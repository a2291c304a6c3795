"""What is said of an annotation: on the image, in the list, on the clipboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tumorviewer import language
from tumorviewer.desktop.viewer.readout import format_value
from tumorviewer.imaging.measurement import REGIONS, AnnotationKind
from tumorviewer.language import later, tr
from tumorviewer.records import Annotation

TITLES = {
    AnnotationKind.POINT: later("Point"),
    AnnotationKind.TEXT: later("Text"),
    AnnotationKind.DISTANCE: later("Distance"),
    AnnotationKind.ANGLE: later("Angle"),
    AnnotationKind.DIAMETERS: later("Two diameters"),
    AnnotationKind.ELLIPSE: later("Ellipse"),
    AnnotationKind.RECTANGLE: later("Rectangle"),
    AnnotationKind.FREEHAND: later("Freehand region"),
}
HOW = {
    AnnotationKind.POINT: later("click where it is"),
    AnnotationKind.TEXT: later("click where it belongs, then type"),
    AnnotationKind.DISTANCE: later("drag from end to end, or click both"),
    AnnotationKind.ANGLE: later(
        "drag along one arm to the vertex, then click the end of the other"
    ),
    AnnotationKind.DIAMETERS: later(
        "drag along the longest, then across it; it stays perpendicular"
    ),
    AnnotationKind.ELLIPSE: later("drag from corner to corner of the box around it"),
    AnnotationKind.RECTANGLE: later("drag from corner to corner"),
    AnnotationKind.FREEHAND: later("drag around it"),
}
NUDGE = later(
    "arrows move it by a pixel, with Shift by ten; Enter takes its next point, Escape lets go"
)
_MEASURED = {"length", "angle", "longest", "area", "value"}
IN_PIXELS = later("No spacing is stated in the file: lengths and areas are in pixels, not in mm.")
ON_SLAB = later("Intensities are of the maximum over a slab of {slab} mm, not of one slice.")
CROSSES = later("The outline crosses itself: its area is not what it encloses.")


def name_annotation(annotation: Annotation) -> str:
    return tr(TITLES[AnnotationKind(annotation.type)])


def describe_annotation(annotation: Annotation) -> list[str]:
    """The reader's text and the figures of an annotation."""
    return [line for line in (annotation.text, *format_measurements(annotation)) if line]


def summarise_annotation(annotation: Annotation) -> list[str]:
    """The reader's text, and what matters most of the figures, on one line each."""
    first = format_measurements(annotation)[:1]
    if "mean" in annotation.values:
        extent = _extent(annotation.values)
        mean, sd = (
            format_value(annotation.values["mean"], extent),
            format_value(annotation.values["sd"], extent),
        )
        first = [f"{mean} ± {sd}  {_area(annotation.values)}"]
    return [line for line in (annotation.text, *first) if line]


def format_measurements(annotation: Annotation) -> list[str]:
    """What was measured, with units."""
    kind, values = AnnotationKind(annotation.type), annotation.values
    unit = str(values.get("unit", "mm"))
    if not values.keys() & _MEASURED:
        return []
    if kind is AnnotationKind.DISTANCE:
        return [f"{_tenths(values['length'])} {unit}"]
    if kind is AnnotationKind.ANGLE:
        return [f"{_tenths(values['angle'])}°"]
    if kind is AnnotationKind.DIAMETERS:
        pair = f"{_tenths(values['longest'])} × {_tenths(values['perpendicular'])} {unit}"
        product = _tenths(values["product"])
        return [pair, tr("Product {product} {unit}²", product=product, unit=unit)]
    if kind in REGIONS:
        return [tr("Area {area}", area=_area(values)), *_statistics(values)]
    return [_with_unit(values["value"], values, 1)]


def list_warnings(annotation: Annotation) -> list[str]:
    """What must be known of the figures."""
    kind, values = AnnotationKind(annotation.type), annotation.values
    found = []
    if values.get("unit") == "px" and kind not in (AnnotationKind.POINT, AnnotationKind.TEXT):
        found.append(tr(IN_PIXELS))
    if values.get("crosses_itself"):
        found.append(tr(CROSSES))
    if "slab" in values:
        found.append(tr(ON_SLAB, slab=language.number(values["slab"], "g")))
    return found


def _statistics(values: Mapping[str, Any]) -> list[str]:
    if "mean" not in values:
        return []
    extent = _extent(values)
    mean, sd = format_value(values["mean"], extent), format_value(values["sd"], extent)
    least, most = format_value(values["minimum"], extent), format_value(values["maximum"], extent)
    unit = values.get("intensity_unit", "")
    return [
        tr("Mean {mean}  SD {sd} {unit}", mean=mean, sd=sd, unit=unit).rstrip(),
        tr("Min {least}  max {most} {unit}", least=least, most=most, unit=unit).rstrip(),
    ]


def _area(values: Mapping[str, Any]) -> str:
    return f"{_tenths(values['area'])} {values.get('unit', 'mm')}²"


def _tenths(value: float) -> str:
    return language.number(value, ".1f")


def _extent(values: Mapping[str, Any]) -> float:
    """A range that says how many decimals are worth writing."""
    spread: float = values["maximum"] - values["minimum"]
    return max(spread, 1e-3 * abs(float(values["mean"])), 1e-5)


def _with_unit(value: float, values: Mapping[str, Any], extent: float) -> str:
    return f"{format_value(value, extent)} {values.get('intensity_unit', '')}".rstrip()
