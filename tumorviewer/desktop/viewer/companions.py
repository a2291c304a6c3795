"""Loads the series that a layout shows beside the shown one: its neighbours and its prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.cases import identify_case
from tumorviewer.desktop.services.library import Library
from tumorviewer.desktop.services.loading import Loader
from tumorviewer.desktop.services.reading import Shown
from tumorviewer.desktop.viewer.hanging_protocols import find_prior
from tumorviewer.desktop.viewer.layouts import FUSED, PRIOR
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.study.types import Study, Volume

NO_PRIOR = later("No earlier study of this patient is open.")
NO_MORE = later("There is no further series in this study.")


class Companions(QObject):
    """One after another, each into its place in the layout."""

    begun = Signal(int, Shown)
    """Number of a series of the layout, and what is loaded into it: a :class:`Shown`."""
    loaded = Signal(int, Volume)
    """Number of a series, and its :class:`Volume`."""
    missing = Signal(int, str)
    """Number of a series that cannot be shown, and why."""

    def __init__(self, loader: Loader, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._loader = loader
        self._waiting: list[tuple[int, Shown]] = []
        self._wanted: dict[int, Shown | None] = {}
        self._volumes: dict[int, Volume] = {}
        loader.loaded.connect(self._loaded)
        loader.failed.connect(self._failed)

    def want(self, numbers: Sequence[int], shown: Shown | None, library: Library) -> None:
        """Load what belongs into these places; what is in its place already stays."""
        wanted = {at: _find(at, shown, library) for at in numbers if shown is not None}
        fresh = {at: one for at, one in wanted.items() if self._wanted.get(at, ...) != one}
        self._wanted = wanted
        for at in set(self._volumes) - (set(wanted) - set(fresh)):
            del self._volumes[at]
        kept = [(at, one) for at, one in self._waiting if wanted.get(at) == one]
        self._loader.cancel()
        self._waiting = kept + [(at, one) for at, one in fresh.items() if one is not None]
        for at, one in fresh.items():
            if one is None:
                self.missing.emit(at, tr(NO_PRIOR if at == PRIOR else NO_MORE))
            else:
                self.begun.emit(at, one)
        self._next()

    def volume(self, number: int) -> Volume | None:
        """What is in a place, if it is loaded."""
        return self._volumes.get(number)

    def _next(self) -> None:
        if self._waiting:
            self._loader.load(self._waiting[0][1].source)

    def _loaded(self, volume: Volume) -> None:
        number, _ = self._waiting.pop(0)
        self._volumes[number] = volume
        self.loaded.emit(number, volume)
        self._next()

    def _failed(self, error: InputError) -> None:
        number, _ = self._waiting.pop(0)
        self.missing.emit(
            number, tr("This series cannot be shown. {message}", message=error.message)
        )
        self._next()


def _find(number: int, shown: Shown, library: Library) -> Shown | None:
    if number == PRIOR:
        found = find_prior(shown.study, shown.series, library.studies)
        return None if found is None else Shown(*found, 0)
    others = [
        Shown(study, series, 0)
        for study in _beside(shown.study, library, of_case=number != FUSED)
        for series in study.series
        if series.volumes and series is not shown.series
    ]
    if number == FUSED:
        there = (one for one in others if _may_share_frame(shown, one))
        return next(there, others[0] if others else None)
    return others[number - 1] if number <= len(others) else None


def _beside(study: Study, library: Library, of_case: bool) -> list[Study]:
    """A file, which is a study of its own, has the files of its case beside it; any other file may
    be laid over it, as an outline of another name."""
    if study.uid is not None:
        return [study]
    files = [one for one in library.studies if one.uid is None]
    case = identify_case(study)
    if of_case:
        return [one for one in files if identify_case(one) == case]
    return sorted(files, key=lambda one: identify_case(one) != case)


def _may_share_frame(shown: Shown, other: Shown) -> bool:
    """As far as that can be told before the pixels are read; see
    :func:`link.share_frame_of_reference`."""
    frames = [one.series.tags.get("FrameOfReferenceUID") for one in (shown, other)]
    if any(frames):
        return frames[0] == frames[1]
    first, second = shown.source, other.source
    if first.affine is None or second.affine is None:
        return False
    return first.shape == second.shape and np.allclose(first.affine, second.affine, atol=1e-3)
