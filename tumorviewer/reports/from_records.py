"""What the records hold of a result that is reported on."""

from __future__ import annotations

from datetime import UTC, datetime

from tumorviewer.analysis.finding import Finding
from tumorviewer.records import Records
from tumorviewer.records.entries import Verdict
from tumorviewer.records.identity import study_key, volume_key
from tumorviewer.study.types import Series, Study, VolumeReader


def look_up_reading(
    records: Records, study: Study, series: Series, reader: VolumeReader, finding: Finding
) -> tuple[datetime, Verdict | None]:
    """When the same answer was first kept, now if it was not; and the reader's verdict."""
    now = datetime.now(UTC).replace(microsecond=0)
    entry = records.worklist.by_key(study_key(study))
    if entry is None:
        return now, None
    kept = records.findings.current(entry.id, volume_key(series, reader), finding.model.sha256)
    time = now if kept is None or isinstance(kept, str) else datetime.fromisoformat(kept.time)
    return time, records.verdicts.current(entry.id)
