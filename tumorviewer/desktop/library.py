"""What is open: studies, their series, and what could not be shown. No Qt."""

from __future__ import annotations

from dataclasses import replace

from tumorviewer.study.types import Opened, Refused, Series, Study


class Library:
    """Everything that was opened and not closed again."""

    def __init__(self) -> None:
        self.studies: list[Study] = []
        self.refused: list[Refused] = []

    def add(self, opened: Opened) -> Series | None:
        """Take in what was opened; what is here already is not doubled.

        Returns
        -------
        Series or None
            The first one that came with it, also if it was here before.
        """
        known = set(self.refused)
        self.refused += [item for item in dict.fromkeys(opened.refused) if item not in known]
        firsts = [self._add_study(study) for study in opened.studies]
        return next((series for series in firsts if series is not None), None)

    def remove(self, study: Study) -> None:
        """Close a study; the list of refused items ends with the last one."""
        self.studies.remove(study)
        if not self.studies:
            self.refused.clear()

    def clear(self) -> None:
        self.studies.clear()
        self.refused.clear()

    def series(self) -> list[Series]:
        """All series in the order of the list."""
        return [series for study in self.studies for series in study.series]

    def study_of(self, series: Series) -> Study:
        """The study that a series of this library belongs to."""
        return next(study for study in self.studies if any(one is series for one in study.series))

    def neighbour(self, series: Series, step: int) -> Series | None:
        """The series before (-1) or after (1) another."""
        everything = self.series()
        at = next(i for i, one in enumerate(everything) if one is series) + step
        return everything[at] if 0 <= at < len(everything) else None

    def _add_study(self, study: Study) -> Series | None:
        if not study.series:
            return None
        for at, known in enumerate(self.studies):
            if _is_same(known, study):
                return self._merge(at, study)
        self.studies.append(study)
        return study.series[0]

    def _merge(self, at: int, study: Study) -> Series:
        known = {_identity(series): series for series in self.studies[at].series}
        new = tuple(series for series in study.series if _identity(series) not in known)
        self.studies[at] = replace(self.studies[at], series=self.studies[at].series + new)
        return new[0] if new else known[_identity(study.series[0])]


def _is_same(known: Study, study: Study) -> bool:
    if known.uid or study.uid:
        return known.uid == study.uid and known.patient_id == study.patient_id
    return {_identity(one) for one in study.series} <= {_identity(one) for one in known.series}


def _identity(series: Series) -> tuple[object, ...]:
    return series.uid, series.source, series.title, len(series.volumes)
