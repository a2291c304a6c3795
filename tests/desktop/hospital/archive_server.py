"""A small archive on the loopback: it verifies, stores, finds and gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from tumorviewer.pacs.addresses import ArchiveAddress

_EXPLICIT, _IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
_MATCHED = ("PatientID", "AccessionNumber", "StudyDate")


class ArchiveServer:
    """Keeps what it is sent in memory.

    Parameters
    ----------
    refuses
        A status of C-STORE that it answers instead of storing.
    """

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.before_object: Callable[[], object] = lambda: None
        """Called before each object that is given back."""
        self.objects: dict[str, Dataset] = {}
        entity = AE("ARCHIVE")
        entity.maximum_pdu_size = 0
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(
                context.abstract_syntax, [_EXPLICIT, _IMPLICIT], scu_role=True, scp_role=True
            )
        for service in (
            Verification,
            StudyRootQueryRetrieveInformationModelFind,
            StudyRootQueryRetrieveInformationModelGet,
        ):
            entity.add_supported_context(service)
        handlers: list[Any] = [
            (evt.EVT_C_ECHO, lambda _: 0x0000), (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find), (evt.EVT_C_GET, self._get),
        ]  # fmt: skip
        self._server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    @property
    def address(self) -> ArchiveAddress:
        port = self._server.server_address[1]
        return ArchiveAddress("hospital", "127.0.0.1", port, "ARCHIVE", timeout_s=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def keep(self, dataset: Dataset) -> None:
        self.objects[str(dataset.SOPInstanceUID)] = dataset

    def _store(self, event: evt.Event) -> int:
        if self.refuses:
            return self.refuses
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.keep(dataset)
        return 0x0000

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        studies = {str(one.StudyInstanceUID): one for one in self.objects.values()}
        for one in studies.values():
            asked = [name for name in _MATCHED if wanted.get(name)]
            if all(str(one.get(name, "")) == str(wanted[name].value) for name in asked):
                answer = Dataset()
                answer.SpecificCharacterSet = "ISO_IR 192"
                for name in (*_MATCHED, "StudyInstanceUID", "PatientName"):
                    setattr(answer, name, one.get(name, ""))
                answer.StudyDescription = str(one.get("StudyDescription", ""))
                answer.ModalitiesInStudy = str(one.get("Modality", ""))
                answer.NumberOfStudyRelatedInstances = len(self.objects)
                yield 0xFF00, answer

    def _get(self, event: evt.Event) -> Iterator[Any]:
        wanted = event.identifier
        names = ("StudyInstanceUID", "SOPInstanceUID")
        found = [
            one
            for one in self.objects.values()
            if all(str(one.get(n)) == str(wanted[n].value) for n in names if n in wanted)
        ]
        yield len(found)
        for one in found:
            self.before_object()
            if event.is_cancelled:
                yield 0xFE00, None
                return
            yield 0xFF00, one
