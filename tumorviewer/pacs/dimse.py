"""An archive over DIMSE (PS3.7) through pynetdicom: C-ECHO, C-FIND, C-GET, C-MOVE, C-STORE and
storage commitment."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ParametricMapStorage,
)
from pynetdicom import AE, StoragePresentationContexts, _config, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tumorviewer.errors import InputError
from tumorviewer.files import flush_to_disk, replace_atomically
from tumorviewer.language import tr
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
from tumorviewer.pacs.statuses import describe_status, is_permanent, is_stored
from tumorviewer.study.dicom.elements import PARSER_ERRORS, read_integer, read_text, silence_pydicom

_config.STORE_SEND_CHUNKED_DATASET = True  # files are sent as they lie on disk
_MOST_CONTEXTS = 128
"""Of one association (PS3.8 7.1.1.13)."""
_MOST_FILES = 25
"""Of one association; the next ones go by another."""
_ASSOCIATIONS = 3
"""At once: between two objects one waits for the archive."""
_UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
_ALSO_RECEIVED = (ParametricMapStorage, UID("1.2.840.10008.5.1.4.1.1.66.7"))
"""And label map segmentations: pynetdicom's own list lacks both, and an archive that must send one
of a kind that was not negotiated breaks off the whole study."""
_FOUND = (
    "PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "StudyDescription",
    "AccessionNumber", "ModalitiesInStudy", "NumberOfStudyRelatedInstances",
)  # fmt: skip


class DimseArchive:
    """One archive; each request is an association of its own, with time limits."""

    def __init__(self, address: ArchiveAddress) -> None:
        silence_pydicom()
        self.address = address

    def test(self) -> str:
        """Verification (C-ECHO)."""
        with self._associated([build_context(Verification)]) as association:
            status = association.send_c_echo()
            self._check(status, tr("the verification"))
        return tr("{name} answers.", name=self.address.name)

    def find(self, query: StudyQuery) -> list[StudyMatch]:
        """Studies (C-FIND, study root)."""
        check_query(query)
        model = StudyRootQueryRetrieveInformationModelFind
        found = []
        with self._associated([build_context(model)]) as association:
            for status, answer in association.send_c_find(_identifier(query), model):
                self._check(status, tr("the query"))
                if answer is not None:
                    found.append(_match(answer))
        return found

    def fetch(
        self, study_uid: str, folder: Path, progress: Callable[[int], object] = ignore_progress
    ) -> Fetched:
        """The objects of a study (C-GET)."""
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", study_uid
        receiver = _Receiver(folder)
        self._get(wanted, _receivable(), receiver, lambda: progress(len(receiver.files)))
        return Fetched(tuple(receiver.files), tuple(receiver.problems))

    def move(self, study_uid: str, destination_aet: str) -> int:
        """Let the archive send a study to an AE that it knows (C-MOVE); answers how many came.

        Raises
        ------
        InputError
            If the archive does not know the destination, or not all could be sent.
        """
        wanted = Dataset()
        wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", study_uid
        model = StudyRootQueryRetrieveInformationModelMove
        completed = 0
        with self._associated([build_context(model)]) as association:
            for status, _ in association.send_c_move(wanted, destination_aet, model):
                completed = int(status.get("NumberOfCompletedSuboperations", completed))
                self._check(status, tr("fetching"))
        return completed

    def store(self, paths: Sequence[Path]) -> Iterator[tuple[Path, StoreAnswer]]:
        """Send files (C-STORE), as they are encoded, by several associations if there are many."""
        answers: SimpleQueue[tuple[Path, StoreAnswer]] = SimpleQueue()
        with ThreadPoolExecutor(_ASSOCIATIONS) as pool:
            for group in _in_contexts(paths):
                pool.submit(self._store_all, group, answers.put)
            for _ in paths:
                yield answers.get()

    def read_back(self, reference: Dataset) -> Dataset | None:
        """One object as the archive has it (C-GET)."""
        wanted = Dataset()
        wanted.QueryRetrieveLevel = "IMAGE"
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(wanted, keyword, reference[keyword].value)
        receiver = _Keeper()
        syntax = reference.file_meta.TransferSyntaxUID
        self._get(wanted, [build_context(reference.SOPClassUID, syntax)], receiver)
        return receiver.datasets[0] if receiver.datasets else None

    def _store_all(
        self, group: dict[Path, tuple[str, str]], tell: Callable[[tuple[Path, StoreAnswer]], None]
    ) -> None:
        """Tell an answer for each file, whatever happens."""
        left = list(group)
        try:
            for path, answer in self._store_group(group):
                left.remove(path)
                tell((path, answer))
        finally:
            for path in left:
                tell((path, StoreAnswer(False, reason=tr("The archive closed the connection."))))

    def _store_group(
        self, group: dict[Path, tuple[str, str]]
    ) -> Iterator[tuple[Path, StoreAnswer]]:
        contexts = [build_context(*pair) for pair in _offered(group.values())]
        try:
            with self._associated(contexts) as association:
                accepted = {
                    (str(one.abstract_syntax), str(one.transfer_syntax[0]))
                    for one in association.accepted_contexts
                }
                for path, pair in group.items():
                    yield path, self._store_one(association, path, pair, accepted)
        except InputError as error:
            for path in group:
                yield path, StoreAnswer(False, reason=error.message)

    def _store_one(
        self,
        association: Association,
        path: Path,
        pair: tuple[str, str],
        accepted: set[tuple[str, str]],
    ) -> StoreAnswer:
        if not association.is_established:
            return StoreAnswer(False, reason=tr("The archive closed the connection."))
        is_accepted = pair in accepted
        if not is_accepted and (pair[0], ImplicitVRLittleEndian) not in accepted:
            kind, syntax = (UID(one).name for one in pair)
            reason = tr("The archive does not take {kind} in {syntax}.", kind=kind, syntax=syntax)
            return StoreAnswer(False, is_permanent=True, reason=reason)
        try:
            status = association.send_c_store(path if is_accepted else pydicom.dcmread(path))
        except (ValueError, RuntimeError, OSError, AttributeError) as error:
            return StoreAnswer(False, is_permanent=True, reason=str(error))
        code = status.get("Status")
        if code is None:
            return StoreAnswer(False, reason=tr("The archive did not answer in time."))
        return StoreAnswer(is_stored(code), is_permanent(code), describe_status(code))

    def _get(
        self,
        wanted: Dataset,
        contexts: list[Any],
        receiver: _Receiver | _Keeper,
        tell: Callable[[], object] = lambda: None,
    ) -> None:
        model = StudyRootQueryRetrieveInformationModelGet
        roles = [build_role(one.abstract_syntax, scp_role=True) for one in contexts]
        handlers = [(evt.EVT_C_STORE, receiver.take)]
        with self._associated([build_context(model), *contexts], roles, handlers) as association:
            for status, _ in association.send_c_get(wanted, model):
                self._check(status, tr("fetching"))
                with _aborted_if_given_up(association):
                    tell()

    @contextmanager
    def _associated(
        self,
        contexts: list[Any],
        roles: list[Any] | None = None,
        handlers: list[Any] | None = None,
    ) -> Iterator[Association]:
        opened: list[evt.Event] = []
        association = self._entity().associate(
            self.address.host,
            self.address.port,
            contexts=contexts,
            ae_title=self.address.aet,
            ext_neg=roles,
            evt_handlers=[*(handlers or []), (evt.EVT_CONN_OPEN, opened.append)],
            tls_args=self._tls(),
        )
        if not association.is_established:
            raise self._refusal(association, is_reached=bool(opened))
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _refusal(self, association: Association, *, is_reached: bool) -> InputError:
        """Why there is no association, in words."""
        name = self.address.name
        if association.is_rejected:
            remedy = tr("Check both AE titles, and whether the archive knows ours.")
            return InputError(name, tr("It refused the connection."), remedy)
        if is_reached:
            reason = tr("It broke off the connection, or accepted nothing of what was asked for.")
            return InputError(name, reason, tr("Check whether it wants TLS."))
        if self.address.tls and (reason := _explain_tls(self.address)):
            return InputError(name, reason, tr("Check the CA file and our certificate."))
        return InputError(name, tr("It cannot be reached."), tr("Check host and port."))

    def _entity(self) -> AE:
        entity = AE(ae_title=self.address.calling_aet)
        entity.connection_timeout = self.address.timeout_s
        entity.acse_timeout = entity.dimse_timeout = self.address.timeout_s
        entity.network_timeout = 2 * self.address.timeout_s
        entity.maximum_pdu_size = 0
        return entity

    def _tls(self) -> tuple[ssl.SSLContext, str] | None:
        return (make_tls_context(self.address), self.address.host) if self.address.tls else None

    def _check(self, status: Dataset, what: str) -> None:
        """Refuse an answer that is a failure, or none.

        Raises
        ------
        InputError
            What the archive said.
        """
        code = status.get("Status")
        if code is None:
            raise InputError(self.address.name, tr("It did not answer in time."))
        if code not in (0x0000, 0xFF00, 0xFF01) and not 0xB000 <= code <= 0xBFFF:
            reason = tr("It refused {what}: {why}", what=what, why=describe_status(code))
            raise InputError(self.address.name, reason)


def make_tls_context(address: ArchiveAddress) -> ssl.SSLContext:
    """TLS that checks the archive's certificate and its host name, always.

    Raises
    ------
    InputError
        If a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=address.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if address.certificate:
            context.load_cert_chain(address.certificate, address.key or None)
    except (OSError, ssl.SSLError) as error:
        raise InputError(address.name, tr("A certificate or its key cannot be read.")) from error
    return context


def _explain_tls(address: ArchiveAddress) -> str:
    """Why TLS fails, which pynetdicom does not say; empty if it does not."""
    place = address.host, address.port
    try:
        with (
            socket.create_connection(place, address.timeout_s) as plain,
            make_tls_context(address).wrap_socket(plain, server_hostname=address.host),
        ):
            return ""
    except ssl.SSLCertVerificationError:
        return tr("Its certificate is not trusted.")
    except ssl.SSLError:
        return tr("It does not speak TLS with us.")
    except OSError:
        return ""


@contextmanager
def _aborted_if_given_up(association: Association) -> Iterator[None]:
    """A transfer in its middle cannot be released (PS3.8 7.2): it is aborted."""
    try:
        yield
    except BaseException:
        association.abort()
        raise


class _Receiver:
    """Writes what arrives during a C-GET."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[Path] = []
        self.problems: list[str] = []

    def take(self, event: evt.Event) -> int:
        """Answers the status of the sub-operation (PS3.4 C.4.3.1.4)."""
        try:
            self.files.append(write_received(event, self.folder))
        except OSError as error:
            self.problems.append(
                tr("It cannot be written: {error}.", error=error.strerror or error)
            )
            return 0xA700
        except PARSER_ERRORS:
            self.problems.append(tr("An object that came cannot be read."))
            return 0xC000
        return 0x0000


class _Keeper:
    """Keeps what arrives in memory."""

    def __init__(self) -> None:
        self.datasets: list[Dataset] = []

    def take(self, event: evt.Event) -> int:
        """Answers the status of the sub-operation."""
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.datasets.append(dataset)
        return 0x0000


def write_received(event: evt.Event, folder: Path) -> Path:
    """Write an object as it came, without decoding it."""
    dataset = pydicom.dcmread(
        pydicom.filebase.DicomBytesIO(event.encoded_dataset()),
        specific_tags=["StudyInstanceUID", "SOPInstanceUID"],
        stop_before_pixels=True,
    )
    path = folder / file_name(
        read_text(dataset, "StudyInstanceUID"), read_text(dataset, "SOPInstanceUID")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path) as beside:
        beside.write_bytes(event.encoded_dataset())
    flush_to_disk(path.parent)
    return path


def _identifier(query: StudyQuery) -> Dataset:
    identifier = Dataset()
    identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword in _FOUND:
        setattr(identifier, keyword, None if keyword.startswith("Number") else "")
    identifier.PatientID, identifier.AccessionNumber = query.patient_id, query.accession
    identifier.StudyDate, identifier.PatientName = query.date, query.name
    return identifier


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


def _receivable() -> list[Any]:
    """Contexts for what an archive may send: one syntax each, those that we read best first."""
    kinds = [UID(context.abstract_syntax or "") for context in StoragePresentationContexts]
    contexts = [
        build_context(kind, list(_UNCOMPRESSED[::-1]))
        for kind in dict.fromkeys((*_ALSO_RECEIVED, *kinds))
    ]
    return contexts[: _MOST_CONTEXTS - 1]


def _in_contexts(paths: Sequence[Path]) -> Iterator[dict[Path, tuple[str, str]]]:
    """Files in groups that one association can carry, each with its class and transfer syntax."""
    group: dict[Path, tuple[str, str]] = {}
    for path in paths:
        meta = pydicom.filereader.read_file_meta_info(path)
        pair = str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
        is_full = len(group) >= _MOST_FILES
        if is_full or len(_offered([*group.values(), pair])) > _MOST_CONTEXTS:
            yield group
            group = {}
        group[path] = pair
    if group:
        yield group


def _offered(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each class with each of its transfer syntaxes by itself, so that the archive answers for
    each; and Implicit VR, which every archive takes, beside what can be converted to it."""
    offered: dict[tuple[str, str], None] = {}
    for kind, syntax in pairs:
        offered[kind, syntax] = None
        if syntax in _UNCOMPRESSED:
            offered[kind, str(ImplicitVRLittleEndian)] = None
    return list(offered)
