"""Files on disk to Study ▸ Series ▸ Volume: pixels with patient geometry, and what was left out.

``open_paths`` reads headers only and answers with an :class:`Opened`; pixels are read when a
:class:`VolumeSource` is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tumorviewer.study.types import (
    Opened,
    Placement,
    Progress,
    Refused,
    Series,
    Study,
    Volume,
    VolumeSource,
    Window,
)

if TYPE_CHECKING:
    from tumorviewer.study.opening import open_paths

__all__ = [
    "Opened",
    "Placement",
    "Progress",
    "Refused",
    "Series",
    "Study",
    "Volume",
    "VolumeSource",
    "Window",
    "open_paths",
]


def __getattr__(name: str) -> Any:
    """Import the readers when they are first asked for: the window is up half a second earlier."""
    if name == "open_paths":
        from tumorviewer.study.opening import open_paths

        return open_paths
    raise AttributeError(name)
