"""FHIR bundles that a strict server takes, once."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from tests.reports.fhir_server import FhirServer, Refused
from tests.reports.made import answer, clean_series, content, verdict
from tumorviewer.reports.fhir import KnownOrder, build_bundle


@pytest.fixture
def server():
    server = FhirServer()
    yield server
    server.close()


@pytest.fixture
def result(tmp_path):
    made = content(clean_series(tmp_path / "in", "upwards", 5))
    return replace(made, patient_birth_date="1963-05-03", patient_sex="F")


def kinds(bundle) -> list[str]:
    return [entry["resource"]["resourceType"] for entry in bundle["entry"]]


def test_an_answer_alone_is_preliminary_and_no_report(server, result) -> None:
    bundle = build_bundle(result)
    assert kinds(bundle) == ["Patient", "ImagingStudy", "Device", "Observation", "Observation"]
    server.transact(bundle)
    assert {one["status"] for one in server.resources["Observation"]} == {"preliminary"}
    assert kinds(build_bundle(replace(result, verdict=verdict(signed=False)))) == kinds(bundle)


def test_a_signed_verdict_makes_a_report_and_sending_again_doubles_nothing(server, result) -> None:
    signed = replace(result, verdict=verdict())
    server.transact(build_bundle(result))
    server.transact(build_bundle(signed))
    server.transact(build_bundle(signed))
    counts = {kind: len(found) for kind, found in server.resources.items()}
    assert counts == {
        "Patient": 1, "ImagingStudy": 1, "Device": 1, "Observation": 3, "DiagnosticReport": 1,
    }  # fmt: skip
    report = server.resources["DiagnosticReport"][0]
    assert report["performer"] == report["resultsInterpreter"] == [{"display": "Reader"}]
    html = base64.b64decode(report["presentedForm"][0]["data"]).decode()
    assert "Öztürk" in html
    assert "Research use only" in html


def test_absence_and_abstention(server, result) -> None:
    absent = build_bundle(replace(result, answer=answer("notumor")))
    server.transact(absent)
    (observation,) = server.resources["Observation"]
    assert observation["valueCodeableConcept"]["text"] == "Absent"
    server.transact(build_bundle(replace(result, answer=answer(None))))
    assert "valueCodeableConcept" not in server.resources["Observation"][1]


def test_the_patient_and_order_of_the_server_are_used(server, result) -> None:
    bundle = build_bundle(result, KnownOrder("Patient/7", "ServiceRequest/8"))
    assert "Patient" not in kinds(bundle)
    server.transact(bundle)
    study = server.resources["ImagingStudy"][0]
    assert study["subject"] == {"reference": "Patient/7"}
    assert study["basedOn"] == [{"reference": "ServiceRequest/8"}]


def test_the_server_is_strict(server, result) -> None:
    bundle = build_bundle(replace(result, verdict=verdict()))
    form = bundle["entry"][-1]["resource"]["presentedForm"][0]
    form["data"] = form["data"][:-4] + "!!!="
    with pytest.raises(Refused, match="base64"):
        server.transact(bundle)
    bundle = build_bundle(result)
    bundle["entry"][3]["resource"]["code"]["coding"][0]["display"] = "Meningioma"
    with pytest.raises(Refused, match="display"):
        server.transact(bundle)
