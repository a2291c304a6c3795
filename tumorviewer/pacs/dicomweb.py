"""An archive over DICOMweb (PS3.18) through dicomweb-client: QIDO-RS, WADO-RS and STOW-RS.

Media types are always given; redirections and bulk data on other hosts are not followed; every
request has a time limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import later, tr
from tumorviewer.pacs.addresses import ArchiveAddress
from tumorviewer.pacs.archive import (
    Fetched,
    StoreAnswer,
    StudyMatch,
    StudyQuery,
    check_query,
    file_name,
    ignore_progress,
)
from tumorviewer.pacs.statuses import describe_status, is_permanent
from tumorviewer.study.dicom.elements import PARSER_ERRORS, read_integer, read_text, silence_pydicom

_T = TypeVar("_T")
_AS_STORED = (("application/dicom", "*"),)
_WORDS = {
    400: later("It does not understand the request."),
    401: later("It does not accept user and password."),
    403: later("It does not allow this."),
    404: later("It has nothing of this UID, or nothing at this address."),
    409: later("It refused the objects."),
    413: later("It takes nothing so large."),
    415: later("It does not take this kind of file."),
    429: later("It is asked too much; try again later."),
    500: later("It had a fault of its own."),
    503: later("It is not ready; try again later."),
}
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_ERRORS = (requests.RequestException, InvalidDicomError, *PARSER_ERRORS)
_FIELDS = ("StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")


class WebArchive:
    """One archive; nothing is asked before a method is called."""

    def __init__(self, address: ArchiveAddress) -> None:
        silence_pydicom()
        self.address = address
        self._client = DICOMwebClient(
            address.url, session=_session(address), timeout=address.timeout_s
        )
        self._client.set_http_retry_params(retry=False)

    def test(self) -> str:
        """A search that finds at most one study."""
        self._asked(lambda: self._client.search_for_studies(limit=1))
        return tr("{name} answers.", name=self.address.name)

    def find(self, query: StudyQuery) -> list[StudyMatch]:
        """Studies (QIDO-RS), by id, accession number or date.

        Names are not asked for: servers take ``*``, ``^`` and accents literally, or as others.

        Raises
        ------
        InputError
            As any request, and for a name.
        """
        check_query(query)
        if query.name:
            reason = tr("By DICOMweb names are not found reliably.")
            remedy = tr("Search by patient ID, accession number or date.")
            raise InputError(self.address.name, reason, remedy)
        stated = {
            "PatientID": query.patient_id,
            "AccessionNumber": query.accession,
            "StudyDate": query.date,
        }
        filters = {keyword: value for keyword, value in stated.items() if value}
        found = self._asked(
            lambda: self._client.search_for_studies(search_filters=filters, fields=list(_FIELDS))
        )
        return self._asked(lambda: [_match(Dataset.from_json(each)) for each in found])

    def fetch(
        self, study_uid: str, folder: Path, progress: Callable[[int], object] = ignore_progress
    ) -> Fetched:
        """The objects of a study (WADO-RS), as they are stored there."""
        coming = self._asked(lambda: self._client.iter_study(study_uid, media_types=_AS_STORED))
        files: list[Path] = []
        problems: list[str] = []
        while (dataset := self._asked(lambda: next(coming, None))) is not None:
            progress(len(files))
            try:
                files.append(_write(dataset, study_uid, folder))
            except OSError as error:
                problems.append(tr("It cannot be written: {error}.", error=error.strerror or error))
            except PARSER_ERRORS:
                problems.append(tr("An object that came cannot be read."))
        return Fetched(tuple(files), tuple(problems))

    def store(self, paths: Sequence[Path]) -> Iterator[tuple[Path, StoreAnswer]]:
        """Send files (STOW-RS), one a request: the answers of servers to several differ."""
        for path in paths:
            yield path, self._store_one(path)

    def read_back(self, reference: Dataset) -> Dataset | None:
        """One object as it is stored there."""
        try:
            return self._client.retrieve_instance(
                str(reference.StudyInstanceUID),
                str(reference.SeriesInstanceUID),
                str(reference.SOPInstanceUID),
                media_types=_AS_STORED,
            )
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code == 404:
                return None
            raise self._in_words(error) from error
        except _ERRORS as error:
            raise self._in_words(error) from error

    def _store_one(self, path: Path) -> StoreAnswer:
        try:
            answer = self._client.store_instances([pydicom.dcmread(path)])
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            told = self._in_words(error).message
            return StoreAnswer(False, status not in _PASSING, _failure(error) or told)
        except requests.RequestException as error:
            return StoreAnswer(False, reason=self._in_words(error).message)
        except (InvalidDicomError, *PARSER_ERRORS):
            return StoreAnswer(False, reason=tr("Its answer is no DICOM."))
        return _store_answer(answer)

    def _asked(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except _ERRORS as error:
            raise self._in_words(error) from error

    def _in_words(self, error: Exception) -> InputError:
        return InputError(self.address.name, *_explain(error))


def _explain(error: Exception) -> tuple[str, str]:
    """Reason and remedy."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        told = tr(_WORDS[status]) if status in _WORDS else tr("It refused the request.")
        return f"{told} (HTTP {status})", ""
    if isinstance(error, requests.exceptions.SSLError):
        return tr("Its certificate is not trusted."), tr("Name the CA file that signed it.")
    if isinstance(error, requests.Timeout):
        return tr("It did not answer in time."), tr("Try again later.")
    if isinstance(error, requests.TooManyRedirects):
        return tr("It wants to send us to another address, which is not followed."), ""
    if isinstance(error, requests.ConnectionError):
        return tr("It cannot be reached."), tr("Check its address.")
    return tr("Its answer is not what DICOMweb asks for."), tr("Check its address.")


def _session(address: ArchiveAddress) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxies, no .netrc: only what the address says
    session.max_redirects = 0
    session.verify = address.ca_file or True
    if address.certificate:
        session.cert = (address.certificate, address.key) if address.key else address.certificate
    if address.user:
        session.auth = (address.user, address.password())
    return session


def _match(answer: Dataset) -> StudyMatch:
    return StudyMatch(
        study_uid=read_text(answer, "StudyInstanceUID"),
        patient_name=read_text(answer, "PatientName"),
        patient_id=read_text(answer, "PatientID"),
        date=read_text(answer, "StudyDate"),
        description=read_text(answer, "StudyDescription"),
        modalities=read_text(answer, "ModalitiesInStudy").replace("\\", "/"),
        accession=read_text(answer, "AccessionNumber"),
        instances=read_integer(answer, "NumberOfStudyRelatedInstances"),
    )


def _write(dataset: Dataset, study_uid: str, folder: Path) -> Path:
    path = folder / file_name(study_uid, read_text(dataset, "SOPInstanceUID"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path) as beside:
        pydicom.dcmwrite(beside, dataset, enforce_file_format=True)
    return path


def _store_answer(answer: Dataset) -> StoreAnswer:
    """Of the response to one object (PS3.18 10.5.3)."""
    failed = answer.get("FailedSOPSequence") or ()
    if failed:
        code = int(failed[0].get("FailureReason") or 0x0110)
        return StoreAnswer(False, is_permanent(code), describe_status(code))
    if not answer.get("ReferencedSOPSequence"):
        return StoreAnswer(False, reason=tr("It does not say that it stored the object."))
    return StoreAnswer(True)


def _failure(error: requests.HTTPError) -> str:
    """What the body of a refusal says of the object, if anything."""
    try:
        body = Dataset.from_json(error.response.json()) if error.response is not None else Dataset()
    except (ValueError, TypeError, *PARSER_ERRORS):
        return ""
    failed = body.get("FailedSOPSequence") or ()
    code = int(failed[0].get("FailureReason") or 0) if failed else 0
    return describe_status(code) if code else ""
