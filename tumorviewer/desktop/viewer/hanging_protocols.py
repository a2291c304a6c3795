"""Hanging protocols: which layout, window and order a study is first shown with. No Qt."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tumorviewer.desktop.services.cases import group_cases
from tumorviewer.desktop.viewer.layouts import LAYOUTS, Layout, find_layout
from tumorviewer.errors import InputError
from tumorviewer.imaging.geometry import name_plane_across
from tumorviewer.imaging.sequences import Sequence as Kind
from tumorviewer.imaging.sequences import find_modality, recognise_sequence
from tumorviewer.language import later, tr
from tumorviewer.resources import home_path, resource_path
from tumorviewer.study.types import Series, Study, Window

FILE = "hanging.toml"
_PLANES = ("axial", "coronal", "sagittal", "oblique")


@dataclass(frozen=True)
class HangingProtocol:
    """A rule: what it is for, and how that is shown."""

    name: str
    layout: Layout
    modality: str = ""
    description: str = ""
    """A regular expression, searched for in the descriptions of study and series."""
    plane: str = ""
    """Series in this plane come before others."""
    series: int = 1
    """How many series there must be at least."""
    order: tuple[Kind, ...] = ()
    window: Window | str | None = None
    """Centre and width, or the name of a preset; None for the default."""

    def fits(self, study: Study) -> bool:
        """Whether this is the rule for a study."""
        meant = [one for one in study.series if self.modality in ("", find_modality(one))]
        words = [study.title, study.description, *(series.title for series in meant)]
        told = re.search(self.description, "\n".join(words), re.IGNORECASE)
        in_plane = [one for one in meant if self.plane in ("", find_plane(one))]
        return len(meant) >= self.series and bool(in_plane) and told is not None

    def arranged(self, study: Study) -> Study:
        """The study with its series in the order of the rule; others keep theirs, after them."""
        return replace(study, series=tuple(sorted(study.series, key=self.place)))

    def place(self, series: Series) -> tuple[int, bool]:
        """Where a series stands in the order of the rule."""
        kind = recognise_sequence(series).sequence
        rank = self.order.index(kind) if kind in self.order else len(self.order)
        return rank, find_plane(series) != self.plane if self.plane else False


@dataclass(frozen=True)
class HangingProtocols:
    """All rules, the first that fits counts."""

    rules: tuple[HangingProtocol, ...] = field(default=())

    def of(self, study: Study) -> HangingProtocol | None:
        """The rule for a study; None to show it as it came."""
        return next((rule for rule in self.rules if rule.fits(study)), None)

    def arranged(self, studies: Sequence[Study]) -> tuple[Study, ...]:
        """Studies with their series, and the files of each case, in the order of its rule; files
        of no known sequence come last."""
        ordered = sorted(map(self._in_order, group_cases(studies)), key=_is_unknown)
        return tuple(study for case in ordered for study in case)

    def _in_order(self, case: list[Study]) -> list[Study]:
        rule = self.of(join_studies(case))
        if rule is None:
            return case
        return sorted(map(rule.arranged, case), key=lambda study: rule.place(study.series[0]))


def load_protocols() -> HangingProtocols:
    """The user's own protocols, else those that ship.

    Raises
    ------
    InputError
        If the user's file cannot be understood.
    """
    own = home_path(FILE)
    return read_protocols(own) if own.exists() else load_shipped_protocols()


def load_shipped_protocols() -> HangingProtocols:
    """The protocols that ship."""
    return read_protocols(resource_path(FILE))


def read_protocols(path: Path) -> HangingProtocols:
    """Read a file of protocols.

    Raises
    ------
    InputError
        If it cannot be understood.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        return HangingProtocols(tuple(_protocol(entry) for entry in table.get("protocol", [])))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            path.name, tr("It cannot be read: {error}.", error=error), tr(_REMEDY)
        ) from error
    except (TypeError, ValueError, KeyError, AttributeError, re.error) as error:
        raise InputError(
            path.name, tr("A protocol in it is not valid: {error}.", error=error), tr(_REMEDY)
        ) from error


_REMEDY = later("Correct the file, or remove it to have the shipped protocols.")


def _is_unknown(case: Sequence[Study]) -> bool:
    return all(study.uid is None and not find_modality(study.series[0]) for study in case)


def join_studies(case: Sequence[Study]) -> Study:
    """The studies of a case as one, to find its rule by."""
    return replace(case[0], series=tuple(series for study in case for series in study.series))


def find_plane(series: Series) -> str:
    """The plane of a series' first volume; empty where it is not known."""
    affine = series.volumes[0].affine if series.volumes else None
    if affine is None:
        return ""
    across = np.cross(affine[:3, 2], affine[:3, 1])
    length = np.linalg.norm(across)
    return name_plane_across(across / length) if length else ""


def _protocol(entry: dict[str, Any]) -> HangingProtocol:
    known = {**entry}
    unknown = set(known) - set(HangingProtocol.__dataclass_fields__)
    if unknown:
        raise ValueError(f"“{min(unknown)}” is no setting of a protocol")
    if known.get("plane", "") not in ("", *_PLANES):
        raise ValueError(f"“{known['plane']}” is no plane: {', '.join(_PLANES)}")
    re.compile(known.get("description", ""))
    known["layout"] = _layout(known["layout"])
    known["order"] = tuple(Kind(name) for name in known.get("order", ()))
    known["series"] = int(known.get("series", 1))
    if isinstance(window := known.get("window"), dict):
        known["window"] = Window(float(window["centre"]), float(window["width"]))
    return HangingProtocol(**known)


def _layout(name: str) -> Layout:
    found = find_layout(name)
    if found is None:
        raise ValueError(f"“{name}” is no layout: {', '.join(LAYOUTS)}, or 2x3 and the like")
    return found


def find_prior(
    study: Study, series: Series, studies: Sequence[Study]
) -> tuple[Study, Series] | None:
    """The latest earlier study of the same patient among some, and its series that is most like
    one of this study."""
    earlier = [
        one
        for one in studies
        if one.patient_id and one.patient_id == study.patient_id and "" < one.date < study.date
    ]
    if not earlier:
        return None
    prior = max(earlier, key=lambda one: one.date)
    shown = [one for one in prior.series if one.volumes]
    kind, plane = recognise_sequence(series).sequence, find_plane(series)

    def likeness(one: Series) -> tuple[bool, bool, bool]:
        same_kind = kind is not Kind.OTHER and recognise_sequence(one).sequence is kind
        return same_kind, one.title == series.title, find_plane(one) == plane

    return (prior, max(shown, key=likeness)) if shown else None
