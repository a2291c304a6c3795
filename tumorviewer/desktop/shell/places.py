"""Where the reader is in each study: its volume, and the slice of each volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Series, Study


@dataclass
class ReadingPosition:
    """Where the reader is in one study."""

    volume: str = ""
    """As :func:`tumorviewer.records.identify_study.volume_key` says."""
    slices: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ReadingPosition:
        """What :attr:`document` was."""
        slices = {str(key): int(index) for key, index in document.get("slices", {}).items()}
        return cls(str(document.get("volume", "")), slices)

    @property
    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"volume": self.volume, "slices": dict(self.slices)}

    def find(self, study: Study) -> tuple[Series, int] | None:
        """The series and number of the volume; None if it is not in the study any more."""
        for series in study.series:
            for at, source in enumerate(series.volumes):
                if volume_key(series, source) == self.volume:
                    return series, at
        return None
