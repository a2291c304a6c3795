"""The model in use: what stands against another one, its promotion, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.desktop.training import job as jobs
from tumorviewer.desktop.training.run_store import COMPARE
from tumorviewer.errors import InputError
from tumorviewer.models import bundle, bundle_exchange, comparison, journal, promotion
from tumorviewer.models.card import ModelCard
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.models.comparison import ComparedModel, TestSet
from tumorviewer.models.journal import Change


@dataclass(frozen=True)
class Candidate:
    """A model that might be promoted."""

    title: str
    folder: Path
    """The folder of its bundle."""
    work: Path
    """Folder for the comparison."""
    training: tuple[Path, ...] = ()
    """The folders or tables that it was trained on, where they are known."""

    @property
    def comparing(self) -> jobs.TrainerProcess:
        return jobs.TrainerProcess(self.work, COMPARE)

    @property
    def comparison(self) -> Path:
        return self.work / "comparison.json"

    @property
    def report(self) -> Path:
        return self.work / "comparison.html"


@dataclass(frozen=True)
class Standing:
    """Which model is in use, how it came to that, and what stands against a candidate."""

    current: ComparedModel | None
    title: str
    """Title of the model in use, or why there is none."""
    history: tuple[Change, ...]
    locked: TestSet | None
    models: tuple[tuple[str, Path], ...]
    """Title and folder of each model that is there, but the one in use."""
    objections: tuple[str, ...] = ()
    """What the gate says against the candidate."""
    is_in_use: bool = False
    """Whether the candidate is the model in use."""


class PromotionController(QObject):
    """Looks at the catalogue and changes it, off the GUI thread."""

    stood = Signal(Standing)
    """A :class:`Standing`."""
    changed = Signal(Change)
    """A :class:`Change`: another model is in use now."""
    failed = Signal(InputError)
    """An :class:`InputError`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = JobQueue(parent=self)

    def look(self, candidate: Candidate | None) -> None:
        """Ask how things stand; `stood` or `failed` follows."""
        self._start(partial(read_standing, candidate), self.stood.emit)

    def promote(self, candidate: Candidate, override: str) -> None:
        """`changed` or `failed` follows."""
        self._start(partial(promote_run, candidate, override), self.changed.emit)

    def roll_back(self) -> None:
        """`changed` or `failed` follows."""
        self._start(
            lambda: promotion.roll_back_model(Catalogue(), journal.user_name()), self.changed.emit
        )

    def close(self) -> bool:
        return self._jobs.close(5000)  # a promotion that has begun is ended

    def _start(self, work: object, done: object) -> None:
        def run(_job: BackgroundJob) -> object:
            return work()  # type: ignore[operator]

        self._jobs.start(run, done, self.failed.emit)  # type: ignore[arg-type]


def read_standing(candidate: Candidate | None) -> Standing:
    """How things stand now.

    Raises
    ------
    InputError
        If the journal cannot be read.
    """
    catalogue = Catalogue()
    history = promotion.read_history(catalogue)
    card, title = _in_use(catalogue)
    current = ComparedModel.of(card) if card else None
    models = tuple(
        (one.card.title, one.folder)
        for one in catalogue.entries()
        if one.card and ComparedModel.of(one.card) != current
    )
    found = Standing(current, title, history, promotion.find_locked_test_set(history), models)
    if candidate is None:
        return found
    return _judged(found, card, candidate)


def _in_use(catalogue: Catalogue) -> tuple[ModelCard | None, str]:
    try:
        card = bundle.read_card(catalogue.folder(catalogue.default()))
    except InputError as error:
        return None, str(error)
    return card, f"{card.title} · {card.name} {card.version}"


def _judged(found: Standing, current: ModelCard | None, candidate: Candidate) -> Standing:
    card = bundle.read_card(candidate.folder)
    if current is not None and card.weights.sha256 == current.weights.sha256:
        return replace(found, is_in_use=True)
    said = promotion.list_objections(_evidence(candidate), card, current, found.locked)
    return replace(found, objections=tuple(said))


def _evidence(candidate: Candidate) -> comparison.Comparison | None:
    return (
        comparison.read_comparison(candidate.comparison) if candidate.comparison.is_file() else None
    )


def promote_run(candidate: Candidate, override: str) -> Change:
    """Take a model into the catalogue, if it is not there, and let it be the one in use.

    Raises
    ------
    InputError
        If the bundle is refused, or the gate has objections that are not overridden.
    """
    catalogue = Catalogue()
    card = bundle.read_card(candidate.folder)
    card, _ = bundle_exchange.import_bundle(
        candidate.folder, catalogue, _free_name(catalogue, card)
    )
    evidence = candidate.comparison if candidate.comparison.is_file() else None
    return promotion.promote_model(catalogue, card.name, journal.user_name(), evidence, override)


def _free_name(catalogue: Catalogue, card: ModelCard) -> str:
    """Another than those of other models."""
    name, number = card.name, 1
    while (known := catalogue.look_up(name)) is not None:
        try:
            if bundle.read_card(known).weights.sha256 == card.weights.sha256:
                break
        except InputError:
            pass  # a damaged one keeps its name
        number += 1
        name = f"{card.name}-{number}"
    return name
