"""Files on disk to Study ▸ Series ▸ Volume: pixels with patient geometry, and what was left out.

``open_paths`` reads headers only and answers with an :class:`Opened`; pixels are read when a
:class:`VolumeSource` is loaded.
"""

from tumorviewer.study.opening import open_paths
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
