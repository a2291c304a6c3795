"""The job without a screen: paths to findings, one for each volume, and what could not be judged.

torch is imported when there is something to judge.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tumorviewer.analysis.methods import BEST
from tumorviewer.errors import InputError
from tumorviewer.language import tr

if TYPE_CHECKING:
    from tumorviewer.analysis.finding import Finding
    from tumorviewer.analysis.predict import Model
    from tumorviewer.study.types import Opened, Series, Study, Volume, VolumeReader

Tell = Callable[[str], None]
"""Told what is being done."""


@dataclass(frozen=True)
class ClassifySettings:
    """How to judge."""

    model: Path
    """The bundle's folder."""
    device: str = "auto"
    method: str | None = BEST
    """Of the saliency maps, the one that points best for the model if not named; None for none."""
    out: Path | None = None
    """Where to write; nothing is written without."""
    checks_map: bool = False
    """Whether the map of the most telling slice is checked."""
    varies: bool = False
    """Whether small changes of that slice are tried, also where it is not nearly free."""


@dataclass
class ClassifyResult:
    """What became of some paths."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    """As ``classify --json`` prints them."""
    labels: dict[str, str] = field(default_factory=dict)
    """What a reader sees for each class."""
    errors: list[dict[str, str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)
    """Files that are in order and have nothing to judge."""

    def refuse(self, error: InputError) -> None:
        """Note down an error."""
        self.errors.append({"source": error.source, "message": error.message})


class VolumeItem(NamedTuple):
    """One volume to judge."""

    series: Series
    volume: VolumeReader


def classify_paths(paths: Sequence[str], settings: ClassifySettings, tell: Tell) -> ClassifyResult:
    """Judge everything that some paths hold; a volume that repeats another's anatomy is left out.

    Raises
    ------
    InputError
        If the model, the device or ``settings.out`` cannot be used.
    """
    from tumorviewer.study import open_paths

    if settings.out:
        _make_folder(settings.out)
    opened = open_paths(
        paths,
        lambda done, found: tell(
            tr("Looking into file {done} of {found}", done=done + 1, found=found)
        ),
    )
    report = ClassifyResult()
    _take_refused(opened, report)
    items = [item for study in opened.studies for item in list_volumes_to_judge(study)]
    if items:
        _judge_all(items, settings, report, tell)
    return report


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> InputError:
    reason = tr("It cannot be written to: {error}.", error=error.strerror or error)
    return InputError(str(folder), reason, tr("Make room or choose another folder."))


def _take_refused(opened: Opened, report: ClassifyResult) -> None:
    for refused in opened.refused:
        message = f"{refused.reason} {refused.remedy}".strip()
        kept = report.errors if refused.is_error else report.notes
        kept.append({"source": refused.source, "message": message})


def list_volumes_to_judge(study: Study) -> Iterator[VolumeItem]:
    """The volumes of a study that are worth asking about."""
    for series in study.series:
        yield from (VolumeItem(series, volume) for volume in series.volumes if not volume.repeats)


def _judge_all(
    items: list[VolumeItem], settings: ClassifySettings, report: ClassifyResult, tell: Tell
) -> None:
    tell(tr("Starting the model"))
    from tumorviewer.analysis import device, predict

    device.use_threads()
    model = predict.load_model(settings.model, settings.device)
    report.labels = model.card.labels
    for number, item in enumerate(items, 1):
        at = f"{number} / {len(items)}"
        try:
            finding = _judge(item, number, model, settings, partial(_tell_at, tell, at))
        except InputError as error:
            report.refuse(error)
        else:
            report.findings.append(finding)


def _tell_at(tell: Tell, at: str, text: str) -> None:
    tell(f"{at}: {text}")


def examine_volume(
    item: VolumeItem,
    model: Model,
    method: str | None,
    tell: Tell,
    *,
    checks_map: bool = False,
    varies: bool = False,
) -> tuple[Finding, Volume]:
    """Load a volume and ask a model about it.

    Raises
    ------
    InputError
        If it cannot be read or judged.
    """
    from tumorviewer.analysis.pipeline import analyse_volume

    tell(tr("Loading"))
    try:
        volume = item.volume.load()
        finding = analyse_volume(
            volume,
            model,
            method=method,
            checks_map=checks_map,
            varies=varies,
            progress=lambda done, total, text: tell(f"{text} {done} / {total}"),
        )
    except MemoryError as error:
        raise InputError(item.series.source, tr("There is not enough memory for it.")) from error
    return finding, volume


def _judge(
    item: VolumeItem, number: int, model: Model, settings: ClassifySettings, tell: Tell
) -> dict[str, Any]:
    from tumorviewer.export.finding_files import export_finding
    from tumorviewer.export.finding_json import finding_to_json

    finding, volume = examine_volume(
        item,
        model,
        settings.method,
        tell,
        checks_map=settings.checks_map,
        varies=settings.varies,
    )
    if settings.out is None:
        return finding_to_json(finding, volume)
    try:
        return export_finding(finding, volume, settings.out, f"{number:03}-{name_files(item)}")
    except OSError as error:
        raise _unwritable(settings.out, error) from error


def name_files(item: VolumeItem) -> str:
    """A name for files from a series' title and the volume's label, safe on every system."""
    words = f"{item.series.title} {item.volume.label}"
    return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-").lower()[:60] or "volume"
