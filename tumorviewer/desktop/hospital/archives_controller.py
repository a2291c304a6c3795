"""The archives that are known: listed, tested, added and removed off the GUI thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.jobs import JobQueue
from tumorviewer.errors import InputError

if TYPE_CHECKING:
    from tumorviewer.pacs.addresses import ArchiveAddress


class ArchivesController(QObject):
    """The user's list of archives."""

    listed = Signal(list)
    """All :class:`tumorviewer.pacs.addresses.ArchiveAddress`, by name."""
    tested = Signal(str)
    """What an archive said."""
    failed = Signal(InputError)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = JobQueue(parent=self)

    def list_archives(self) -> None:
        """`listed` or `failed` follows."""
        self._jobs.start(lambda _: _list(), self.listed.emit, self.failed.emit)

    def add(self, address: ArchiveAddress, password: str) -> None:
        """Keep an archive, its password in the system's keyring."""
        work = partial(_add, address, password)
        self._jobs.start(lambda _: work(), self.listed.emit, self.failed.emit)

    def remove(self, name: str) -> None:
        """Forget an archive and its password."""
        self._jobs.start(lambda _: _remove(name), self.listed.emit, self.failed.emit)

    def test(self, name: str) -> None:
        """Ask whether it answers; `tested` or `failed` follows."""
        self._jobs.start(lambda _: _test(name), self.tested.emit, self.failed.emit)

    def close(self) -> bool:
        """End all work; False if it does not end in time."""
        return self._jobs.close()


def _list() -> list[ArchiveAddress]:
    from tumorviewer.pacs.addresses import AddressBook

    return AddressBook().list_addresses()


def _add(address: ArchiveAddress, password: str) -> list[ArchiveAddress]:
    from tumorviewer.pacs.addresses import AddressBook

    AddressBook().add(address, password)
    return _list()


def _remove(name: str) -> list[ArchiveAddress]:
    from tumorviewer.pacs.addresses import AddressBook

    AddressBook().remove(name)
    return _list()


def _test(name: str) -> str:
    from tumorviewer.pacs.addresses import AddressBook
    from tumorviewer.pacs.connection import connect

    return connect(AddressBook().find(name)).test()
