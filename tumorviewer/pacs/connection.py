"""From the address of an archive to the archive."""

from __future__ import annotations

from tumorviewer.pacs.addresses import ArchiveAddress
from tumorviewer.pacs.archive import Archive
from tumorviewer.pacs.dicomweb import WebArchive
from tumorviewer.pacs.dimse import DimseArchive


def connect(address: ArchiveAddress) -> Archive:
    """The archive at an address; nothing is sent yet."""
    return WebArchive(address) if address.is_web else DimseArchive(address)
