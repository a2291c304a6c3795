"""A FHIR server: read the order by accession number, send a bundle once."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import requests

from tumorviewer.errors import InputError
from tumorviewer.language import tr

_TYPE = "application/fhir+json"
_Resource = dict[str, Any]


class FhirClient:
    """One server.

    Parameters
    ----------
    url
        Its base, ``https://…/fhir``.
    ca_file
        PEM file of the authority that signed its certificate; that of the system by default.
    token
        Bearer token, if it wants one.
    """

    def __init__(
        self, url: str, *, ca_file: str = "", token: str = "", timeout_s: float = 30.0
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file or True
        self._session.headers["Accept"] = _TYPE
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def find_order(self, accession: str) -> tuple[str | None, str | None]:
        """References to patient and order of an accession number; None where there is none.

        Raises
        ------
        InputError
            If the server does not answer as it should, or knows several orders of this number.
        """
        found = self._ask("GET", f"ServiceRequest?identifier={quote(accession)}")
        orders = [entry["resource"] for entry in found.get("entry", ())]
        if len(orders) > 1:
            raise InputError(self._url, tr("It knows several orders of this accession number."))
        if not orders:
            return None, None
        order = orders[0]
        patient = order.get("subject", {}).get("reference")
        return patient, f"ServiceRequest/{order['id']}"

    def send(self, bundle: _Resource) -> list[str]:
        """Send a transaction; answers where each resource is, new or known before.

        Raises
        ------
        InputError
            If the server refuses it or cannot be reached; then nothing was created.
        """
        answer = self._ask("POST", "", bundle)
        return [entry["response"]["location"] for entry in answer.get("entry", ())]

    def _ask(self, method: str, path: str, body: _Resource | None = None) -> _Resource:
        try:
            answer = self._session.request(
                method,
                f"{self._url}/{path}",
                data=None if body is None else json.dumps(body),
                headers={"Content-Type": _TYPE} if body is not None else None,
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise InputError(self._url, tr("Its certificate is not trusted.")) from error
        except requests.Timeout as error:
            raise InputError(self._url, tr("It did not answer in time.")) from error
        except requests.RequestException as error:
            raise InputError(self._url, tr("It cannot be reached.")) from error
        if answer.status_code not in (200, 201):
            reason = tr("It refused the request.")
            raise InputError(self._url, f"{reason} (HTTP {answer.status_code}) {_outcome(answer)}")
        try:
            content: _Resource = answer.json()
        except ValueError as error:
            raise InputError(self._url, tr("Its answer is not FHIR.")) from error
        return content


def _outcome(answer: requests.Response) -> str:
    """What an OperationOutcome says."""
    try:
        issues = answer.json().get("issue", ())
    except (ValueError, AttributeError):
        return ""
    return "; ".join(str(issue.get("diagnostics", "")) for issue in issues)
