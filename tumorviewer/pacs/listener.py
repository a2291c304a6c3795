"""Receiving what archives send: off unless started, on loopback unless told otherwise, and only
from callers on a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.pacs.dimse import write_received
from tumorviewer.study.dicom.elements import PARSER_ERRORS, silence_pydicom

LOOPBACK = "127.0.0.1"
_SYNTAXES = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99",
)  # fmt: skip
"""What our reader decodes, uncompressed first."""
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0xA700, 0xC000


@dataclass(frozen=True)
class ListenerSettings:
    """How it listens."""

    folder: Path
    """Where what comes is written, a folder for each study."""
    callers: tuple[str, ...]
    """AE titles that may send; none other is let in."""
    aet: str = "TUMORVIEWER"
    port: int = 11112
    host: str = LOOPBACK


class StorageListener:
    """A storage SCP; closed at the end of the ``with`` block.

    Parameters
    ----------
    received
        Told each file that was written, in a thread of the listener's.

    Raises
    ------
    InputError
        If nobody may call, or the port cannot be had.
    """

    def __init__(
        self, settings: ListenerSettings, received: Callable[[Path], None] = lambda _path: None
    ) -> None:
        silence_pydicom()
        if not settings.callers:
            raise InputError(tr("listener"), tr("Nobody is on the list of callers."))
        self._settings = settings
        self._received = received
        entity = AE(ae_title=settings.aet)
        entity.require_calling_aet = list(settings.callers)
        entity.require_called_aet = True
        entity.supported_contexts = _contexts()
        entity.maximum_pdu_size = 0
        handlers: list[Any] = [(evt.EVT_C_STORE, self._take)]
        try:
            self._server = entity.start_server(
                (settings.host, settings.port), block=False, evt_handlers=handlers
            )
        except OSError as error:
            reason = tr("The port {port} cannot be had.", port=settings.port)
            raise InputError(tr("listener"), reason, tr("Choose another one.")) from error

    def close(self) -> None:
        """Stop listening; what is being received is broken off."""
        if self._server is not None:
            self._server.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, event: evt.Event) -> int:
        """Success only when the file is on the disk."""
        try:
            path = write_received(event, self._settings.folder)
        except OSError:
            return _OUT_OF_RESOURCES
        except PARSER_ERRORS:
            return _CANNOT_UNDERSTAND
        self._received(path)
        return 0x0000


def _contexts() -> list[Any]:
    entity = AE()
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), _SYNTAXES)
    entity.add_supported_context(Verification)
    return list(entity.supported_contexts)


def parse_callers(stated: Sequence[str]) -> tuple[str, ...]:
    """AE titles from the command line, separated by commas or given one by one."""
    return tuple(each.strip() for part in stated for each in part.split(",") if each.strip())
