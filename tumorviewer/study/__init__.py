"""Files on disk to Study ▸ Series ▸ Volume: pixels with patient geometry, and what was left out.

``open_paths`` reads headers only and answers with an :class:`Opened`; pixels are read when a
:class:`VolumeReader` is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tumorviewer.study.types import (
    LoadingProgress,
    Opened,
    Placement,
    Refused,
    Series,
    Study,
    Volume,
    VolumeReader,
    Window,
)

if TYPE_CHECKING:
    from tumorviewer.study.opening import open_paths

__all__ = [
    "LoadingProgress",
    "Opened",
    "Placement",
    "Refused",
    "Series",
    "Study",
    "Volume",
    "VolumeReader",
    "Window",
    "open_paths",
]


def __getattr__(name: str) -> Any:
    """Import the readers when they are first asked for: the window is up half a second earlier."""
    if name == "open_paths":
        from tumorviewer.study.opening import open_paths

        return open_paths
    raise AttributeError(name)
