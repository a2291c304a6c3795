"""The answer as a Comprehensive SR, TID 1500 "Measurement Report" (PS3.16)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from tumorviewer.reports.content import ModelContent, ReportContent
from tumorviewer.reports.dicom import codes, common
from tumorviewer.reports.polygons import find_largest_slice, trace_outline

_CORNER_TO_CENTRE = 0.5
"""From the corner of the first pixel, the origin of SCOORD, to its centre (PS3.3 C.18.6.1.2)."""


def build_structured_report(content: ReportContent, previous: Sequence[Dataset] = ()) -> Dataset:
    """The answer, each class's probability, the outline and the verdict.

    Unverified until a reader signed; then they are the verifying observer.

    Parameters
    ----------
    previous
        Earlier reports that this one takes the place of.
    """
    assert content.source is not None
    source, verdict = content.source, content.verdict
    signed = verdict if verdict is not None and verdict.signed else None
    report = hd.sr.MeasurementReport(
        observation_context=_context(content),
        procedure_reported=codes.find_procedure_code(str(source.first.get("Modality", ""))),
        title=codes.MEASUREMENT_REPORT,
        imaging_measurements=[*_groups(content)],
    )
    dataset = hd.sr.ComprehensiveSR(
        evidence=list(source.headers),
        content=report,
        is_complete=True,
        is_final=signed is not None,
        is_verified=signed is not None,
        verifying_observer_name=common.format_person(signed.reader) if signed else None,
        verifying_organization="unknown" if signed else None,
        previous_versions=list(previous) or None,
        **common.make_series_values("sr", source),
    )
    dataset.ManufacturerModelName = "TumorViewer"
    if signed:
        stated = f"{signed.time:%Y%m%d%H%M%S}"
        dataset.VerifyingObserverSequence[0].VerificationDateTime = stated
    return common.finish_object(dataset, "sr", content)


def _context(content: ReportContent) -> hd.sr.ObservationContext:
    model = content.answer.model
    identity = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=common.derive_uid("model", model.name, model.version, model.sha256),
        name="TumorViewer",
        manufacturer_name=common.MANUFACTURER,
        model_name=model.name,
        serial_number=model.sha256[:16] or None,
    )
    device = hd.sr.ObserverContext(codes.DEVICE, identity)
    person = None
    if content.verdict is not None:
        name = hd.sr.PersonObserverIdentifyingAttributes(
            name=common.format_person(content.verdict.reader)
        )
        person = hd.sr.ObserverContext(codes.PERSON, name)
    return hd.sr.ObservationContext(observer_device_context=device, observer_person_context=person)


def _groups(content: ReportContent) -> Iterator[Any]:
    answer = content.answer
    yield _group(content, "answer", codes.BRAIN_NEOPLASM, evaluations=_presence(content))
    for each in answer.classes:
        if each.name == answer.no_tumour:
            yield _group(
                content, f"class {each.name}", codes.BRAIN_NEOPLASM, each.probability,
                evaluations=[_evaluation(codes.PRESENCE, codes.ABSENT)],
            )  # fmt: skip
        else:
            code = codes.find_class_code(each.name, each.label)
            yield _group(content, f"class {each.name}", code, each.probability)
    if content.outline is not None and content.outline.any():
        yield _outlined(content)
    if content.verdict is not None:
        name = content.verdict.name
        is_absent = name == answer.no_tumour
        code = (
            codes.BRAIN_NEOPLASM if is_absent else codes.find_class_code(name, content.label(name))
        )
        state = codes.ABSENT if is_absent else codes.PRESENT
        evaluation = _evaluation(codes.PRESENCE, state)
        yield _group(
            content,
            f"verdict of {content.verdict.reader}",
            code,
            evaluations=[evaluation],
            by_model=False,
        )


def _presence(content: ReportContent) -> list[Any]:
    """Present with its class, absent, or neither: an abstention names no class."""
    answer = content.answer
    told = [_evaluation(codes.PRESENCE, codes.PRESENCES[answer.presence])]
    if answer.presence == "present" and answer.named is not None:
        named = codes.find_class_code(answer.named, content.label(answer.named))
        told.append(_evaluation(codes.FINDING, named))
    return told


def _evaluation(name: Code, value: Code) -> Any:
    return hd.sr.QualitativeEvaluation(name, value)


def _group(
    content: ReportContent,
    identifier: str,
    finding: Code,
    probability: float | None = None,
    evaluations: Sequence[Any] = (),
    *,
    by_model: bool = True,
) -> Any:
    """A group of TID 1501."""
    assert content.source is not None
    images = [_source_image(content, index) for index in content.answer.key_slices]
    measured = []
    if probability is not None:
        percent = round(100 * probability, 4)
        measured = [hd.sr.Measurement(codes.PROBABILITY, percent, codes.PERCENT)]
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(content, identifier),
        finding_type=finding,
        algorithm_id=_algorithm(content.answer.model) if by_model else None,
        finding_sites=[hd.sr.FindingSite(codes.BRAIN)],
        measurements=measured or None,
        qualitative_evaluations=list(evaluations) or None,
        source_images=images or None,
    )


def _outlined(content: ReportContent) -> Any:
    """The largest slice of the outline as a planar region with its area."""
    assert content.source is not None
    assert content.outline is not None
    index = find_largest_slice(content.outline)
    mask = content.outline[index]
    header, frame = common.find_header(content.source, index)
    image = hd.sr.SourceImageForRegion(
        str(header.SOPClassUID), str(header.SOPInstanceUID), [frame] if frame else None
    )
    points = trace_outline(mask)[0] + _CORNER_TO_CENTRE
    _, row, column = content.volume.spacing()
    area = float(mask.sum()) * row * column
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(content, "outline"),
        referenced_region=hd.sr.ImageRegion("POLYLINE", points, image),
        finding_type=codes.BRAIN_NEOPLASM,
        algorithm_id=None if content.outline_model is None else _algorithm(content.outline_model),
        finding_sites=[hd.sr.FindingSite(codes.BRAIN)],
        measurements=[hd.sr.Measurement(codes.AREA, round(area, 2), codes.SQUARE_MILLIMETRE)],
    )


def _source_image(content: ReportContent, index: int) -> Any:
    assert content.source is not None
    header, frame = common.find_header(content.source, index)
    return hd.sr.SourceImageForMeasurementGroup(
        str(header.SOPClassUID), str(header.SOPInstanceUID), [frame] if frame else None
    )


def _tracking(content: ReportContent, identifier: str) -> Any:
    assert content.source is not None
    uid = common.derive_uid("tracking", identifier, str(content.source.first.SeriesInstanceUID))
    return hd.sr.TrackingIdentifier(uid=uid, identifier=identifier)


def _algorithm(model: ModelContent) -> Any:
    version = f"{model.version}, SHA-256 {model.sha256}"
    return hd.sr.AlgorithmIdentification(name=model.name, version=version)
