"""Storage commitment (PS3.4 J): the archive says later that it keeps what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.pacs.addresses import ArchiveAddress
from tumorviewer.pacs.dimse import make_tls_context

PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"


def request_commitment(
    address: ArchiveAddress, references: Sequence[tuple[str, str]], host: str = "127.0.0.1"
) -> set[str]:
    """Ask an archive to commit itself, and wait for its answer.

    Parameters
    ----------
    address
        With the port of ours to which the archive sends its answer.
    references
        SOP Class and SOP Instance UID of each object.
    host
        Where we listen for the answer, and only as long as we wait.

    Returns
    -------
    set
        The SOP Instance UIDs that it committed itself to.

    Raises
    ------
    InputError
        If it does not know the service, refuses, or does not answer in time.
    """
    transaction = generate_uid(prefix=None)
    answer = _Answer(transaction)
    entity = AE(ae_title=address.calling_aet)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = address.timeout_s
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, answer.take)]
    try:
        server = entity.start_server(
            (host, address.commitment_port), block=False, evt_handlers=handlers
        )
    except OSError as error:
        reason = tr("The port {port} cannot be had.", port=address.commitment_port)
        raise InputError(address.name, reason, tr("Choose another one.")) from error
    try:
        _ask(entity, address, transaction, references, handlers)
        if not answer.is_there.wait(address.timeout_s):
            raise InputError(address.name, tr("No storage commitment came in time."))
    finally:
        if server is not None:
            server.shutdown()
    return answer.committed


class _Answer:
    """Collects the event report of one transaction."""

    def __init__(self, transaction: str) -> None:
        self._transaction = transaction
        self.committed: set[str] = set()
        self.is_there = threading.Event()

    def take(self, event: evt.Event) -> tuple[int, None]:
        """An N-EVENT-REPORT, on our association or on one of the archive's."""
        report = event.event_information
        if report.get("TransactionUID") == self._transaction:
            references = report.get("ReferencedSOPSequence", ())
            self.committed = {str(item.ReferencedSOPInstanceUID) for item in references}
            self.is_there.set()
        return 0x0000, None


def _ask(
    entity: AE,
    address: ArchiveAddress,
    transaction: str,
    references: Sequence[tuple[str, str]],
    handlers: list[Any],
) -> None:
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate(
        address.host,
        address.port,
        ae_title=address.aet,
        ext_neg=[build_role(StorageCommitmentPushModel, scu_role=True)],
        evt_handlers=handlers,
        tls_args=(make_tls_context(address), address.host) if address.tls else None,
    )
    if not association.is_established:
        raise InputError(address.name, tr("It does not offer storage commitment."))
    try:
        status, _ = association.send_n_action(
            _request(transaction, references), 1, StorageCommitmentPushModel, PUSH_MODEL_INSTANCE
        )
    finally:
        association.release()
    if status.get("Status") != 0x0000:
        raise InputError(address.name, tr("It refused the storage commitment."))


def _request(transaction: str, references: Sequence[tuple[str, str]]) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = []
    for kind, instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = kind, instance
        request.ReferencedSOPSequence.append(item)
    return request
