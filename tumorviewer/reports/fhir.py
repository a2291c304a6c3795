"""The result as a FHIR R4 transaction bundle whose sending again doubles nothing.

Every resource has an identifier that follows from what it says, and is created on the condition
that none with that identifier exists (https://hl7.org/fhir/R4/http.html#ccreate).
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydicom.sr.coding import Code

from tumorviewer import __version__
from tumorviewer.language import current_language
from tumorviewer.reports.content import RESEARCH_USE, ReportContent, VerdictContent
from tumorviewer.reports.dicom import codes
from tumorviewer.reports.dicom.common import derive_uid
from tumorviewer.reports.report_html import render_standalone_html
from tumorviewer.study.dicom.elements import read_text

Resource = dict[str, Any]
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
    codes.PRIVATE_SCHEME: f"urn:oid:{derive_uid('coding scheme', codes.PRIVATE_SCHEME)}",
}
_UID_SYSTEM = "urn:dicom:uid"
_URI_SYSTEM = "urn:ietf:rfc:3986"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_REPORT = Code("18748-4", "LN", "Diagnostic imaging study")
_SEXES = {"M": "male", "F": "female", "O": "other"}


@dataclass(frozen=True)
class KnownOrder:
    """What a server knows of the order: both are references such as ``Patient/12``."""

    patient: str | None = None
    service_request: str | None = None


@dataclass
class _Bundle:
    entries: list[Resource] = field(default_factory=list)

    def add(self, resource: Resource) -> dict[str, str]:
        """Add a resource to create unless its identifier is known; answers a reference to it."""
        identifier = resource["identifier"][0]
        kind, value = resource["resourceType"], f"{identifier['system']}|{identifier['value']}"
        address = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{kind} {value}')}"
        condition = f"identifier={quote(value, safe='')}"
        request = {"method": "POST", "url": kind, "ifNoneExist": condition}
        self.entries.append({"fullUrl": address, "resource": resource, "request": request})
        return {"reference": address}


def build_bundle(content: ReportContent, order: KnownOrder | None = None) -> Resource:
    """Patient, study, device, observations, and a report if a reader signed.

    Without a signature the observations are preliminary and there is no DiagnosticReport.

    Parameters
    ----------
    order
        Patient and order that the server knows; else the patient is created from the study.
    """
    order, bundle = order or KnownOrder(), _Bundle()
    patient = order.patient
    subject = {"reference": patient} if patient else bundle.add(_patient(content))
    study = bundle.add(_imaging_study(content, subject, order))
    device = bundle.add(_device(content))
    shared = {"subject": subject, "derivedFrom": [study], "device": device}
    results = [bundle.add(each) for each in _observations(content, shared)]
    verdict = content.verdict
    if verdict is not None and verdict.signed:
        results.append(
            bundle.add(
                _verdict(content, verdict, {k: shared[k] for k in ("subject", "derivedFrom")})
            )
        )
        bundle.add(_report(content, verdict, subject, study, results, order))
    return {"resourceType": "Bundle", "type": "transaction", "entry": bundle.entries}


def _patient(content: ReportContent) -> Resource:
    issuer, source = "", content.source
    name: Resource = {"text": content.patient_name or "unknown"}
    if source is not None:
        issuer = read_text(source.first, "IssuerOfPatientID")
    stated = content.patient_id or _uid(content, "patient", content.patient_name)
    system = f"urn:tumorviewer:patient:{quote(issuer)}" if issuer else "urn:tumorviewer:patient"
    patient: Resource = {
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": stated}],
        "name": [name],
    }
    if content.patient_sex in _SEXES:
        patient["gender"] = _SEXES[content.patient_sex]
    if len(content.patient_birth_date) == len("2026-11-30"):
        patient["birthDate"] = content.patient_birth_date
    return patient


def _imaging_study(content: ReportContent, subject: Resource, order: KnownOrder) -> Resource:
    study: Resource = {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": _UID_SYSTEM, "value": f"urn:oid:{_study_uid(content)}"}],
        "status": "available",
        "subject": subject,
    }
    if order.service_request:
        study["basedOn"] = [{"reference": order.service_request}]
    if content.study_date:
        study["started"] = content.study_date
    if content.study_description:
        study["description"] = content.study_description
    if content.source is not None:
        first = content.source.first
        series: Resource = {
            "uid": str(first.SeriesInstanceUID),
            "modality": {"system": _SYSTEMS["DCM"], "code": read_text(first, "Modality") or "OT"},
            "numberOfInstances": len(content.source.headers),
        }
        if content.series_title:
            series["description"] = content.series_title
        study["series"] = [series]
    return study


def _device(content: ReportContent) -> Resource:
    model = content.answer.model
    return {
        "resourceType": "Device",
        "identifier": [
            _identifier(_uid(content, "device", model.name, model.version, model.sha256))
        ],
        "deviceName": [{"name": f"TumorViewer, model {model.name}", "type": "model-name"}],
        "version": [{"value": __version__}, {"value": model.version}],
        "note": [{"text": f"SHA-256 {model.sha256}. {RESEARCH_USE}."}],
    }


def _observations(content: ReportContent, shared: Resource) -> Iterator[Resource]:
    answer = content.answer
    presence = _observation(content, "answer", codes.BRAIN_NEOPLASM, shared, answer.time)
    presence["note"] = [{"text": f"{answer.sentences} {RESEARCH_USE}."}]
    if answer.presence == "indeterminate":
        presence["dataAbsentReason"] = {
            "coding": [{"system": _ABSENT_REASON, "code": "unknown", "display": "Unknown"}],
            "text": "The model names no class.",
        }
    else:
        presence["valueCodeableConcept"] = _concept(codes.PRESENCES[answer.presence])
    if answer.classes:
        presence["component"] = [
            _component(content, each.name, each.probability) for each in answer.classes
        ]
    yield presence
    if answer.named is not None and answer.presence == "present":
        kind = _observation(content, "class", codes.FINDING, shared, answer.time)
        kind["valueCodeableConcept"] = _concept(_class_code(content, answer.named))
        yield kind


def _component(content: ReportContent, name: str, probability: float) -> Resource:
    concept = _concept(codes.PROBABILITY)
    concept["text"] = f"Probability: {content.label(name)}"
    return {
        "code": concept,
        "valueQuantity": {
            "value": round(100 * probability, 4), "unit": "%",
            "system": _SYSTEMS["UCUM"], "code": "%",
        },
    }  # fmt: skip


def _verdict(content: ReportContent, verdict: VerdictContent, shared: Resource) -> Resource:
    is_absent = verdict.name == content.answer.no_tumour
    code = codes.BRAIN_NEOPLASM if is_absent else codes.FINDING
    value = codes.ABSENT if is_absent else _class_code(content, verdict.name)
    observation = _observation(
        content, "verdict", code, shared, verdict.time, verdict.name, verdict.reader
    )
    observation["status"] = "final"
    observation["performer"] = [{"display": verdict.reader}]
    observation["valueCodeableConcept"] = _concept(value)
    if verdict.comment:
        observation["note"] = [{"text": verdict.comment}]
    return observation


def _observation(
    content: ReportContent, what: str, code: Code, shared: Resource, time: datetime, *more: str
) -> Resource:
    answer = content.answer
    told = [f"{each.name} {each.probability:.6f}" for each in answer.classes]
    uid = _uid(
        content, what, answer.model.sha256, str(answer.named), *told, time.isoformat(), *more
    )
    return {
        "resourceType": "Observation",
        "identifier": [_identifier(uid)],
        "status": "preliminary",
        "category": [{"coding": [{"system": _CATEGORY, "code": "imaging", "display": "Imaging"}]}],
        "code": _concept(code),
        "bodySite": _concept(codes.BRAIN),
        "effectiveDateTime": time.isoformat(timespec="seconds"),
        **shared,
    }


def _report(
    content: ReportContent,
    verdict: VerdictContent,
    subject: Resource,
    study: Resource,
    results: list[Resource],
    order: KnownOrder,
) -> Resource:
    html = render_standalone_html(content).encode()
    form = {
        "contentType": "text/html",
        "language": current_language(),
        "data": base64.b64encode(html).decode("ascii"),
        "size": len(html),
        "hash": base64.b64encode(hashlib.sha1(html, usedforsecurity=False).digest()).decode(
            "ascii"
        ),
        "title": f"TumorViewer report. {RESEARCH_USE}",
        "creation": verdict.time.isoformat(timespec="seconds"),
    }
    uid = _uid(content, "report", hashlib.sha256(html).hexdigest())
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [_identifier(uid)],
        "status": "final",
        "code": _concept(_REPORT),
        "subject": subject,
        "effectiveDateTime": content.answer.time.isoformat(timespec="seconds"),
        "issued": verdict.time.isoformat(timespec="milliseconds"),
        "performer": [{"display": verdict.reader}],
        "resultsInterpreter": [{"display": verdict.reader}],
        "imagingStudy": [study],
        "result": results,
        "conclusion": f"{verdict.label}. {verdict.comment}".strip(),
        "presentedForm": [form],
    }
    if order.service_request:
        report["basedOn"] = [{"reference": order.service_request}]
    return report


def _class_code(content: ReportContent, name: str) -> Code:
    return codes.find_class_code(name, content.label(name))


def _concept(code: Code) -> Resource:
    coding = {
        "system": _SYSTEMS[code.scheme_designator],
        "code": code.value,
        "display": code.meaning,
    }
    return {"coding": [coding], "text": code.meaning}


def _identifier(uid: str) -> Resource:
    return {"system": _URI_SYSTEM, "value": f"urn:oid:{uid}"}


def _uid(content: ReportContent, *parts: str) -> str:
    return derive_uid("fhir", _study_uid(content), *parts)


def _study_uid(content: ReportContent) -> str:
    if content.source is not None:
        return str(content.source.first.StudyInstanceUID)
    return derive_uid("study", content.volume.source, content.patient_id, content.study_date)
