"""A small FHIR server that refuses what R4 does not allow of the resources that we write."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

DATE_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d))?"
)
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
SCT_DISPLAYS = {
    "126952004": "Neoplasm of brain", "52101004": "Present", "2667000": "Absent",
    "393564001": "Glioma", "302820008": "Intracranial meningioma", "12738006": "Brain",
    "127024001": "Neoplasm of pituitary gland",
}  # fmt: skip
FIELDS: dict[str, dict[str, str]] = {
    "Patient": {"identifier": "1*", "name": "*", "gender": "code", "birthDate": "date"},
    "ImagingStudy": {
        "identifier": "1*", "status": "1code", "subject": "1ref", "started": "date",
        "basedOn": "ref*", "description": "string", "series": "*",
    },
    "Device": {"identifier": "1*", "deviceName": "*", "version": "*", "note": "*"},
    "Observation": {
        "identifier": "1*", "status": "1code", "category": "*", "code": "1concept",
        "subject": "1ref", "effectiveDateTime": "date", "derivedFrom": "ref*", "device": "ref",
        "performer": "ref*", "valueCodeableConcept": "concept", "dataAbsentReason": "concept",
        "note": "*", "bodySite": "concept", "component": "*",
    },
    "DiagnosticReport": {
        "identifier": "1*", "status": "1code", "code": "1concept", "subject": "1ref",
        "effectiveDateTime": "date", "issued": "instant", "performer": "ref*", "basedOn": "ref*",
        "resultsInterpreter": "ref*", "imagingStudy": "ref*", "result": "ref*",
        "conclusion": "string", "presentedForm": "*",
    },
}  # fmt: skip
CODES = {
    "Observation.status": {"preliminary", "final"},
    "DiagnosticReport.status": {"final"},
    "ImagingStudy.status": {"available"},
    "Patient.gender": {"male", "female", "other", "unknown"},
}


class Refused(Exception):
    pass


class FhirServer:
    """Keeps resources by type; `url` is its base."""

    def __init__(self) -> None:
        self.resources: dict[str, list[dict[str, Any]]] = {}
        self.status = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Type"] != "application/fhir+json":
                    self.answer(415, {})
                elif server.status:
                    self.answer(server.status, {})
                else:
                    self.run(body)

            def run(self, body: bytes) -> None:
                try:
                    self.answer(200, server.transact(json.loads(body)))
                except Refused as error:
                    issue = {"severity": "error", "code": "invalid", "diagnostics": str(error)}
                    self.answer(422, {"resourceType": "OperationOutcome", "issue": [issue]})

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                kind, query = parts.path.strip("/"), parse_qs(parts.query)
                found = server.search(kind, query)
                entries = [{"resource": each} for each in found]
                self.answer(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})

            def answer(self, status: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/fhir+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def search(self, kind: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        wanted = query["identifier"][0]
        return [each for each in self.resources.get(kind, []) if wanted in tokens(each)]

    def transact(self, bundle: dict[str, Any]) -> dict[str, Any]:
        require(bundle["resourceType"] == "Bundle" and bundle["type"] == "transaction", "kind")
        places, created = {}, []
        for entry in bundle["entry"]:
            resource, request = entry["resource"], entry["request"]
            kind = resource["resourceType"]
            require(request["method"] == "POST" and request["url"] == kind, "request")
            wanted = unquote(request["ifNoneExist"].removeprefix("identifier="))
            require(wanted in tokens(resource), "the condition is not the identifier")
            known = self.search(kind, {"identifier": [wanted]})
            place = (
                f"{kind}/{known[0]['id']}"
                if known
                else f"{kind}/{len(self.resources.get(kind, [])) + len(created) + 1}"
            )
            places[entry["fullUrl"]] = place
            if not known:
                created.append((place, resource))
        for _, resource in created:
            check(resource, places)
        for place, resource in created:
            kind, number = place.split("/")
            self.resources.setdefault(kind, []).append(resource | {"id": number})
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": [
            {"response": {"status": "201 Created", "location": place}} for place in places.values()
        ]}  # fmt: skip


def tokens(resource: dict[str, Any]) -> list[str]:
    return [f"{one.get('system', '')}|{one['value']}" for one in resource.get("identifier", ())] + [
        one["value"] for one in resource.get("identifier", ())
    ]


def require(is_met: bool, what: str) -> None:
    if not is_met:
        raise Refused(what)


def check(resource: dict[str, Any], places: dict[str, str]) -> None:
    kind = resource["resourceType"]
    fields = FIELDS[kind]
    for name in resource:
        require(name in fields or name == "resourceType", f"{kind}.{name} is unknown")
    for name, rule in fields.items():
        require(name in resource or not rule.startswith("1"), f"{kind}.{name} is missing")
        if name in resource:
            check_field(f"{kind}.{name}", rule.lstrip("1"), resource[name], places)
    if kind == "Observation":
        has_value = "valueCodeableConcept" in resource
        require(has_value != ("dataAbsentReason" in resource), "obs-6: value or reason")


def check_field(name: str, rule: str, value: Any, places: dict[str, str]) -> None:
    require(value not in ("", [], {}, None), f"{name} is empty")
    if rule.endswith("*"):
        require(isinstance(value, list), f"{name} is no list")
    values = value if isinstance(value, list) else [value]
    for one in values:
        if rule.startswith("ref"):
            stated = one.get("reference")
            is_known = stated in places or (stated and not stated.startswith("urn:"))
            require(bool(is_known or one.get("display")), f"{name}: {stated}")
        if rule == "concept":
            check_concept(one)
        if rule in ("date", "instant"):
            require(bool(DATE_TIME.fullmatch(one)), f"{name}: {one}")
        if rule == "instant":
            require("T" in one, f"{name}: {one}")
        if name in CODES:
            require(one in CODES[name], f"{name}: {one}")
    if name.endswith("presentedForm"):
        check_form(values[0])


def check_concept(concept: dict[str, Any]) -> None:
    for coding in concept["coding"]:
        require(coding["system"].startswith(("http://", "urn:")), "system")
        if coding["system"] == "http://snomed.info/sct":
            require(SCT_DISPLAYS.get(coding["code"]) == coding["display"], f"display {coding}")


def check_form(form: dict[str, Any]) -> None:
    require(bool(BASE64.fullmatch(form["data"])), "base64")
    data = base64.b64decode(form["data"], validate=True)
    require(len(data) == form["size"], "size")
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    require(base64.b64encode(digest).decode() == form["hash"], "hash")
