"""The study's answer on the screen: the headline, the outlines, and the way to each candidate."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject

from tumorviewer.analysis.slices import is_label_map
from tumorviewer.analysis.whole_study.study_answer import StudyAnswer, StudyCandidate
from tumorviewer.desktop.assessment.study_part import describe_candidate
from tumorviewer.desktop.outlines.outline_layer import Outline, OutlineLayer
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.study_answer_controller import (
    StudyAnswerController,
    StudyAnswerState,
)
from tumorviewer.desktop.shell.actions import Actions
from tumorviewer.desktop.shell.reading_room import ReadingRoom
from tumorviewer.desktop.shell.window_parts import WindowParts
from tumorviewer.desktop.viewer.link import share_frame_of_reference
from tumorviewer.study.types import Volume


class StudyAnswerPresenter(QObject):
    """Gives the study's answer to the assessment and to the images."""

    def __init__(
        self,
        parts: WindowParts,
        reading: Reading,
        room: ReadingRoom,
        answers: StudyAnswerController,
        actions: Actions,
    ) -> None:
        super().__init__(parts)
        self._reading, self._room, self._answers, self._actions = reading, room, answers, actions
        self._viewer, self._panel = parts.viewer, parts.assessment
        self.layer = OutlineLayer(parts.viewer.panes, self)
        self._shown: StudyAnswer | None = None
        """Whose outlines are drawn."""
        self._wanted: StudyCandidate | None = None
        """The candidate to turn to once its series is loaded."""
        self._last = -1
        answers.changed.connect(lambda _: self._show())
        answers.kept.connect(lambda _: room.list_again())
        answers.kept.connect(room.verdicts.look_again)
        room.answer_wanted.connect(self._show)
        reading.volume_loaded.connect(self._loaded)
        reading.shown_changed.connect(self._turn)
        part = self._panel.study
        part.candidate_wanted.connect(self.show_candidate)
        part.cancel_wanted.connect(answers.cancel)
        actions["outlines"].setChecked(True)
        actions["outlines"].toggled.connect(self.layer.set_shown)

    def analyse(self) -> None:
        """Ask about the shown series and the study again."""
        self._answers.ask_again()
        self._reading.inference.analyse()

    def cancel(self) -> None:
        """Give up what is being opened, loaded or computed."""
        self._reading.cancel()
        self._answers.cancel()

    def show_candidate(self, number: int) -> None:
        """Turn all planes to the centre of a candidate, of which 0 is the first."""
        answer, read = self._shown, self._answers.read
        if answer is None or not 0 <= number < len(answer.candidates):
            return
        self._last = number
        self._panel.study.candidates.setCurrentRow(number)
        candidate, volume = answer.candidates[number], self._viewer.state.volume
        if volume is not None and self._holds(volume):
            self._turn_to(candidate)
        elif read is not None:
            self._wanted = candidate
            self._reading.show_series(read.series, read.series.volumes.index(read.volume))

    def show_next_candidate(self) -> None:
        """Turn to the candidate after the one that was turned to last."""
        if self._shown is not None and self._shown.candidates:
            self.show_candidate((self._last + 1) % len(self._shown.candidates))

    # What is shown

    def _turn(self, shown: Shown | None) -> None:
        self._panel.mask_part.show_mask(None)
        if shown is None:
            self._wanted = None

    def _loaded(self, volume: Volume) -> None:
        if is_label_map(volume):
            self._panel.show_mask(volume)
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._turn_to(wanted)

    def _show(self) -> None:
        state = self._answers.state
        if self._room.verdicts.withholds:
            state = StudyAnswerState()
        self._panel.show_study_answer(state)
        if state.answer is self._shown:
            return
        self._shown, self._last = state.answer, -1
        candidates = state.answer.candidates if state.answer is not None else ()
        self._actions.provide("candidate", bool(candidates))
        self._draw(state)

    def _draw(self, state: StudyAnswerState) -> None:
        answer = state.answer
        if answer is None:
            self.layer.show_outlines(None, ())
            return
        outlines = [
            Outline(one.mask, describe_candidate(answer, one, at))
            for at, one in enumerate(answer.candidates, 1)
        ]
        self.layer.show_outlines(state.volume, outlines)

    def _holds(self, volume: Volume) -> bool:
        """Whether places of the volume that was read are known in another."""
        read = self._answers.state.volume
        return read is not None and share_frame_of_reference(read, volume)

    def _turn_to(self, candidate: StudyCandidate) -> None:
        if candidate.centre_mm is None:
            self._viewer.set_slice(candidate.key_slice)
        else:
            first = self._viewer.panes.first
            self._viewer.panes.link.place(first, np.array(candidate.centre_mm))
