"""Asks for the evidence that the panel shows, and opens the model's card."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from tumorviewer.analysis.finding import Finding, SimilarCases
from tumorviewer.analysis.messages import Done, Failed, FindSimilar
from tumorviewer.analysis.trust import training_cohort
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.desktop.assessment.data_folder import DataFolder, read_picture
from tumorviewer.desktop.assessment.evidence_panel import EvidencePanel
from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.desktop.services.reading import Reading, Snapshot
from tumorviewer.desktop.services.settings import Settings
from tumorviewer.errors import InputError
from tumorviewer.language import tr, trn
from tumorviewer.models import ModelCard, bundle
from tumorviewer.study.types import Placement, Series, Volume

FOLDER = "data_folder"
"""Name of the setting."""
Pictures = dict[int, NDArray[np.uint8]]


class EvidenceController(QObject):
    """Between the panel and who knows.

    Parameters
    ----------
    parent
        The window that dialogs belong to.
    """

    def __init__(
        self, panel: EvidencePanel, reading: Reading, settings: Settings, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._panel, self._reading, self._settings = panel, reading, settings
        self._window = parent
        self._jobs = JobQueue(parent=self)
        self._request: int | None = None
        self._found: SimilarCases | None = None
        panel.similar_wanted.connect(self.ask)
        panel.folder_wanted.connect(self.choose_folder)
        panel.card_wanted.connect(self.show_card)
        reading.inference.overheard.connect(self._hear)

    def show_answer(self, snapshot: Snapshot) -> None:
        """Say in words what the model answers, and how the scan compares with its training."""
        finding, volume = snapshot.finding, snapshot.volume
        assert finding is not None
        self._panel.show_finding(finding, volume)
        card = self._card()
        is_its = card is not None and card.weights.sha256 == finding.model.sha256
        known = card.trust.cohort if card and card.trust and is_its else None
        sentences: tuple[str, ...] = ()
        if known is not None and volume is not None and snapshot.series is not None:
            facts = _facts(snapshot.series, volume, finding)
            sentences = training_cohort.compare_with_cohort(facts, known)
        self._panel.show_cohort(sentences)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Forget what was found for another slice or volume."""
        is_other_slice = self._found is not None and self._found.slice != snapshot.slice
        if snapshot.volume is None or is_other_slice:
            self._forget()

    def ask(self) -> None:
        """Find the training cases most like the shown slice."""
        snapshot = self._reading.snapshot
        if snapshot.volume is None:
            return
        try:
            model = self._reading.inference.find_model()
        except InputError as error:
            self._panel.say(error.message)
            return
        self._panel.say(tr("Searching…"))
        wanted = FindSimilar(snapshot.volume, model, snapshot.slice)
        self._request = self._reading.inference.submit(wanted)

    def choose_folder(self) -> None:
        """Let the user name the folder of the training data."""
        chosen = QFileDialog.getExistingDirectory(
            self._window, tr("Folder of the training data"), str(self._settings[FOLDER])
        )
        if chosen:
            self._settings.choose(FOLDER, chosen)
            self._look_for_pictures()

    def show_card(self) -> None:
        """All that is known of the model, in a window of its own."""
        from tumorviewer.desktop.assessment.card_view import CardDialog

        try:
            model = self._reading.inference.find_model()
            CardDialog(self._window, model, str(self._settings[FOLDER])).open()
        except InputError as error:
            self._panel.say(error.message)

    def close(self) -> bool:
        return self._jobs.close()

    def _card(self) -> ModelCard | None:
        try:
            return bundle.read_card(self._reading.inference.find_model())
        except InputError:
            return None

    def _forget(self) -> None:
        self._request = self._found = None
        self._jobs.cancel()
        self._panel.clear_similar()

    def _hear(self, event: Done | Failed) -> None:
        if isinstance(event, Done) and isinstance(event.result, MapCheck):
            self._hear_of_map(event.result)
        if event.id != self._request:
            return
        self._request = None
        if isinstance(event, Failed):
            self._panel.say(event.message)
        elif isinstance(event.result, SimilarCases):
            self._found = event.result
            self._panel.show_similar(event.result)
            self._look_for_pictures()

    def _hear_of_map(self, check: MapCheck) -> None:
        """Of the map that the words are about, the words say whether it may be believed."""
        finding = self._reading.inference.state.finding
        if finding is None or finding.saliency is None or check.against:
            return
        told = (finding.saliency.method, finding.saliency.target, finding.key_slices[:1])
        if told == (check.method, check.target, (check.index,)):
            self._panel.show_finding(finding, self._reading.snapshot.volume, check)

    def _look_for_pictures(self) -> None:
        """In the model, if it may carry them; else in the site's own folder."""
        found = self._found
        if found is None:
            return
        try:
            model = self._reading.inference.find_model()
        except InputError:
            return
        self._jobs.cancel()
        work = partial(_pictures, model, str(self._settings[FOLDER]), found)
        self._jobs.start(work, partial(self._show_pictures, found), self._no_pictures)

    def _show_pictures(self, found: SimilarCases, pictures: Pictures) -> None:
        if found is not self._found:
            return
        for at, one in pictures.items():
            self._panel.similar.show_picture(at, one)
        if missing := len(found.cases) - len(pictures):
            self._panel.say(_missing(missing), offers_folder=True)

    def _no_pictures(self, error: InputError) -> None:
        self._panel.say(error.message, offers_folder=True)


def _missing(count: int) -> str:
    return trn(
        "The picture of {count} is not shipped with the model. If this computer has the data set, "
        "name its folder.",
        "The pictures of {count} are not shipped with the model. If this computer has the data "
        "set, name its folder.",
        count,
    )


def _pictures(model: Path, folder: str, found: SimilarCases, job: BackgroundJob) -> Pictures:
    """The pictures that can be had, by the place of their case in the list."""
    shipped = bundle.read_trust_arrays(model).get("similar.pictures")
    if shipped is not None:
        return {at: shipped[case.row].astype(np.uint8) for at, case in enumerate(found.cases)}
    if not folder:
        return {}
    paths = DataFolder(Path(folder)).find({case.digest for case in found.cases}, job.check)
    pictures: Pictures = {}
    for at, case in enumerate(found.cases):
        job.check()
        if case.digest in paths:
            pictures[at] = read_picture(paths[case.digest], case.slice)
    return pictures


def _facts(series: Series, volume: Volume, finding: Finding) -> training_cohort.Facts:
    affine = None if volume.placement is Placement.NONE else volume.affine
    known = training_cohort.collect_facts(series.tags, affine, volume.array.shape)
    return training_cohort.Facts(known.numbers | finding.inputs, known.words)
