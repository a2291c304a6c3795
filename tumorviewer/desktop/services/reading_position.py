"""Where the reader is in one study: what a tab comes back with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Series, Study, Window


@dataclass
class ReadingPosition:
    """Where the reader is in one study."""

    volume: str = ""
    """The key by :func:`tumorviewer.records.identity.volume_key`."""
    slices: dict[str, int] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    """Those that the reader chose, by volume."""
    layout: str = ""
    """By :func:`tumorviewer.desktop.viewer.layouts.name_layout`; empty before it was shown."""
    is_linked: bool = True
    visit: int = 0
    """The higher, the later the study was turned to."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ReadingPosition:
        """What :attr:`document` was; what it does not say is as it is at first."""
        known = {key: value for key, value in document.items() if key in cls.__dataclass_fields__}
        windows = {key: Window(**each) for key, each in known.pop("windows", {}).items()}
        return cls(**known, windows=windows)

    @property
    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    def find(self, study: Study) -> tuple[Series, int] | None:
        """The series and number of the volume; None if it is not in the study any more."""
        for series in study.series:
            for at, source in enumerate(series.volumes):
                if volume_key(series, source) == self.volume:
                    return series, at
        return None
