"""What is shown of the model's answer: the answer, its progress, or why there is none."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject

from tumorviewer.desktop.assessment import reliability
from tumorviewer.desktop.assessment.answer import OUTSIDE
from tumorviewer.desktop.assessment.evidence_controller import EvidenceController
from tumorviewer.desktop.services.inference import InferencePhase, InferenceState
from tumorviewer.desktop.services.reading import Reading, Snapshot
from tumorviewer.desktop.shell.actions import Actions
from tumorviewer.desktop.shell.reading_room import WITHHELD, ReadingRoom
from tumorviewer.desktop.shell.window_parts import WindowParts
from tumorviewer.desktop.viewer.map_check_controller import MapCheckController
from tumorviewer.language import tr

_OFFER_MS = 12_000


class AnswerPresenter(QObject):
    """Gives snapshots with an answer to the views that show it."""

    def __init__(
        self,
        parts: WindowParts,
        reading: Reading,
        room: ReadingRoom,
        evidence: EvidenceController,
        actions: Actions,
    ) -> None:
        super().__init__(parts)
        self._reading, self._inference, self._room = reading, reading.inference, room
        self._viewer, self._panel, self._status = parts.viewer, parts.assessment, parts.status
        self._evidence, self._actions = evidence, actions
        self._untouched_slice = 0
        """Where the volume was loaded; the answer turns to its key slice from there alone."""
        self._checks = MapCheckController(self._inference, self._viewer, self._panel.maps, self)
        self._connect()

    def _connect(self) -> None:
        panel, inference = self._panel, self._inference
        inference.changed.connect(self._state_changed)
        inference.ready.connect(self._status.show_ready)
        inference.stopped.connect(self._status.show_stopped)
        self._viewer.sliceChanged.connect(self._show_slice)
        self._room.answer_wanted.connect(self._show_again)
        self._room.training.promoted.connect(self._model_changed)
        panel.slice_wanted.connect(self._viewer.set_slice)
        panel.maps.explanation_wanted.connect(inference.explain)
        panel.maps.slice_wanted.connect(self._actions["explain_slice"].trigger)
        panel.cancel_wanted.connect(inference.cancel)
        panel.insisted.connect(self._show_again)
        panel.insisted.connect(inference.make_maps)
        panel.reliability_wanted.connect(self._show_reliability)
        panel.action_wanted.connect(lambda name: self._actions[name].trigger())

    # Where the reader is

    def turn(self, snapshot: Snapshot) -> None:
        """Another volume is shown: nothing is known of it yet."""
        self._evidence.show_snapshot(snapshot)
        self._panel.forget()

    def start_at(self, index: int) -> None:
        """The volume is loaded and shown at this slice: the middle one, if nobody moved."""
        self._untouched_slice = index if index == self._viewer.state.count // 2 else -1
        self._reading.slice = index

    def restore_slice(self, index: int) -> None:
        """Show the slice where the reader was; the answer does not turn to another."""
        self._viewer.set_slice(index)
        self._untouched_slice = -1

    def _show_slice(self, index: int) -> None:
        if index != self._untouched_slice:
            self._untouched_slice = -1  # coming back to it is a move too
        self._reading.slice = index
        snapshot = self._reading.snapshot
        self._panel.show_slice(snapshot)
        self._offer_explanation()
        self._evidence.show_snapshot(snapshot)

    # The answer

    def _state_changed(self, state: InferenceState) -> None:
        self.show_state(state)
        self._checks.follow(state)

    def show_state(self, state: InferenceState) -> None:
        """Show what the model says, or what became of the question."""
        match state.phase:
            case InferencePhase.WORKING:
                self._panel.show_progress(state.text, state.done, state.total)
                self._viewer.set_map_message(state.text)
            case InferencePhase.ANSWERED:
                self._withhold() if self._room.verdicts.withholds else self._show_answer()
            case InferencePhase.CANCELLED:
                text = tr("Not analysed: it was cancelled.")
                self._explain(state, text, "analyse", tr("Analyse now"))
            case InferencePhase.FAILED:
                self._explain(state, state.text, "analyse", tr("Try again"), is_error=True)
            case InferencePhase.DIED:
                text = tr(
                    "The analysis process stopped. {text} The study is still open.", text=state.text
                )
                self._explain(state, text, "restart_worker", tr("Restart it"), is_error=True)
            case InferencePhase.IDLE:
                self._viewer.set_map_message("")
        self._offer_explanation()

    def _show_again(self) -> None:
        """The answer may be shown now, or no longer."""
        self.show_state(self._inference.state)
        self._checks.rest()

    def _show_answer(self) -> None:
        self._reading.slice = self._viewer.slice()
        snapshot = self._reading.snapshot
        finding = snapshot.finding
        assert finding is not None
        self._room.verdicts.see_answer()
        is_new = not self._panel.has_answer
        self._panel.show_snapshot(snapshot)
        self._evidence.show_answer(snapshot)
        if self._panel.hides_class:
            self._viewer.show_snapshot(replace(snapshot, finding=None))
            self._viewer.set_map_message(tr(OUTSIDE))
            return
        self._viewer.show_snapshot(snapshot)
        untouched = snapshot.slice == self._untouched_slice
        if is_new and finding.predicted_class != finding.no_tumour:
            first = finding.key_slices[0]
            self._viewer.set_slice(first) if untouched else self._offer_slice(first)

    def _offer_slice(self, index: int) -> None:
        text = tr(
            "Slice {n} decided the answer; “{action}” goes there.",
            n=index + 1,
            action=self._actions["next_key_slice"].text(),
        )
        self._status.showMessage(text, _OFFER_MS)

    def _withhold(self) -> None:
        problem = self._room.verdicts.problem
        if problem is None:
            self._panel.show_message(tr(WITHHELD))
            self._viewer.set_map_message(tr(WITHHELD))
            return
        text = tr(
            "Your verdict cannot be written before the answer is shown. {problem}",
            problem=problem.message,
        )
        self._panel.show_message(
            text, is_error=True, action="verdict_first", action_text=tr("Show answers without it")
        )
        self._viewer.set_map_message(text)

    def _explain(
        self,
        state: InferenceState,
        text: str,
        action: str,
        action_text: str,
        is_error: bool = False,
    ) -> None:
        show = self._panel.show_remark if state.finding else self._panel.show_message
        show(text, is_error=is_error, action=action, action_text=action_text)
        if state.finding is None:
            self._viewer.set_map_message(text)
        else:
            self._panel.maps.show_finding(state.finding)

    def _offer_explanation(self) -> None:
        offer = self._inference.can_explain(self._viewer.slice())
        self._actions.provide("unexplained", offer)
        self._actions.provide("answer", self._panel.has_answer)
        self._panel.maps.offer_slice(offer)

    # What the reader asks for

    def show_next_key_slice(self) -> None:
        """Turn to the next of the slices that decided the answer."""
        finding = self._inference.state.finding
        if finding is not None and finding.key_slices and self._panel.has_answer:
            keys = sorted(finding.key_slices)
            later = [index for index in keys if index > self._viewer.slice()]
            self._viewer.set_slice((later or keys)[0])

    def restart_worker(self) -> None:
        """Start the analysis process anew, and ask again."""
        self._status.show_starting()
        self._inference.restart()

    def _model_changed(self) -> None:
        """Another model is in use: what is asked from now on, it answers."""
        self._inference.forget_all()
        self._room.ask_labels()
        if self._panel.has_answer:
            text = tr("This is the answer of the model that was in use before.")
            words = tr("Ask the model in use")
            self._panel.show_remark(text, action="analyse", action_text=words)

    def _show_reliability(self) -> None:
        finding = self._inference.state.finding
        if finding is not None:
            find_model = self._inference.find_model
            reliability.make_reliability_dialog(self._panel.window(), find_model, finding).show()
