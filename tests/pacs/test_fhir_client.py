"""Sending to a FHIR server, and what it says of the order."""

from __future__ import annotations

import pytest

from tests.reports.fhir_server import FhirServer
from tests.reports.made import clean_series, content
from tumorviewer.errors import InputError
from tumorviewer.pacs.fhir_client import FhirClient
from tumorviewer.reports.fhir import KnownOrder, build_bundle


@pytest.fixture
def server():
    server = FhirServer()
    yield server
    server.close()


@pytest.fixture
def result(tmp_path):
    return content(clean_series(tmp_path / "in", "upwards", 5))


def order(number: str, patient: str) -> dict:
    return {
        "resourceType": "ServiceRequest", "id": number,
        "identifier": [{"value": "A1"}], "subject": {"reference": patient},
    }  # fmt: skip


def test_a_bundle_is_sent_and_sending_again_doubles_nothing(server, result) -> None:
    client = FhirClient(server.url)
    first = client.send(build_bundle(result))
    assert client.send(build_bundle(result)) == first
    assert len(server.resources["Observation"]) == 2


def test_patient_and_order_are_read_by_accession_number(server, result) -> None:
    client = FhirClient(server.url)
    assert client.find_order("A1") == (None, None)
    server.resources["ServiceRequest"] = [order("8", "Patient/7")]
    known = KnownOrder(*client.find_order("A1"))
    assert known == KnownOrder("Patient/7", "ServiceRequest/8")
    client.send(build_bundle(result, known))
    assert "Patient" not in server.resources
    server.resources["ServiceRequest"].append(order("9", "Patient/10"))
    with pytest.raises(InputError, match="several orders"):
        client.find_order("A1")


def test_refusals_are_told_and_nothing_is_kept(server, result) -> None:
    client = FhirClient(server.url, timeout_s=5)
    bundle = build_bundle(result)
    bundle["entry"][1]["resource"]["status"] = "nonsense"
    with pytest.raises(InputError, match="ImagingStudy"):
        client.send(bundle)
    assert not server.resources
    server.status = 503
    with pytest.raises(InputError, match="HTTP 503"):
        client.send(build_bundle(result))
    with pytest.raises(InputError, match="cannot be reached"):
        FhirClient("http://127.0.0.1:9").find_order("A1")
