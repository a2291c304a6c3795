"""Worklist, findings, verdicts, annotations and the audit trail, in a database. No torch, no Qt.

:class:`Records` is the door; what comes out of it are the frozen types of :mod:`.types`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tumorviewer.records.entries import (
    Annotation,
    AuditEntry,
    Fault,
    FindingEntry,
    OnDisk,
    StudyState,
    Verdict,
    WorklistEntry,
    WorklistOrder,
    WorklistQuery,
)

if TYPE_CHECKING:
    from tumorviewer.records.facade import Records

__all__ = [
    "Annotation",
    "AuditEntry",
    "Fault",
    "FindingEntry",
    "OnDisk",
    "Records",
    "StudyState",
    "Verdict",
    "WorklistEntry",
    "WorklistOrder",
    "WorklistQuery",
]


def __getattr__(name: str) -> Any:
    """Import the database when it is first asked for: the window is up earlier."""
    if name == "Records":
        from tumorviewer.records.facade import Records

        return Records
    raise AttributeError(name)
