"""What the assessment names: a class, several, or none, and the reliability of the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from tests.desktop.parts import Source, finding, head, series, study
from tests.desktop.shell.test_window import drop, mime
from tumorviewer.analysis.finding import OodAssessment, PredictionSet, Variation
from tumorviewer.analysis.messages import Vary
from tumorviewer.desktop.assessment import reliability
from tumorviewer.desktop.assessment.answer import (
    NONE_NAMED,
    OUTSIDE,
    describe_prediction_sets,
    name_answer,
)
from tumorviewer.desktop.assessment.assessment_panel import AssessmentPanel
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.widgets import theme
from tumorviewer.errors import InputError
from tumorviewer.models.trust_measures import Abstention, Bin, Calibration, Measured, Trust
from tumorviewer.study.types import Opened

SCAN = Path("/scans/one")
FAR = OodAssessment("outside", 9.0, ("It is a CT image.",))


@pytest.fixture
def panel(qtbot):
    made = AssessmentPanel()
    qtbot.addWidget(made)
    made.resize(360, 900)
    made.show()
    return made


def texts(widget) -> str:
    shown = (part.text() for part in widget.findChildren(QLabel) if part.isVisible())
    return "\n".join(shown)


def unsure(**more):
    return replace(
        finding(head(1)),
        abstains="No class reaches 81 %.",
        candidates=("glioma", "meningioma"),
        **more,
    )


def test_classes_that_remain_are_named_together_with_the_reason(panel, qtbot):
    panel.show_snapshot(Snapshot(finding=unsure()))
    qtbot.waitUntil(lambda: "No class reaches" in texts(panel))
    shown = texts(panel)
    assert "Glioma or meningioma" in shown
    assert "No class reaches 81 %." in shown
    assert "Most probable: Glioma" in shown


def test_where_nothing_is_ruled_out_no_class_is_named():
    assert name_answer(replace(unsure(), candidates=())) == NONE_NAMED
    three = replace(unsure(), candidates=("glioma", "notumor", "pituitary"))
    assert name_answer(three) == "Glioma, no tumour or pituitary tumour"


def test_sets_of_the_same_classes_share_a_line():
    sets = (
        PredictionSet(0.9, ()),
        PredictionSet(0.95, ("glioma",)),
        PredictionSet(0.99, ("glioma",)),
    )
    words = describe_prediction_sets(replace(finding(head(1)), sets=sets))
    assert words == "At 90 %: none. At 95 %, 99 %: Glioma."


def test_what_is_not_the_models_kind_shows_no_class_until_the_reader_insists(panel, qtbot):
    far = replace(finding(head(3)), ood=FAR)
    panel.show_snapshot(Snapshot(finding=far))
    qtbot.waitUntil(lambda: OUTSIDE in texts(panel))
    shown = texts(panel)
    assert NONE_NAMED in shown
    assert "It is a CT image." in shown
    assert "Glioma" not in shown
    assert "Deciding slices" not in shown
    assert not panel.maps.isVisible()
    with qtbot.waitSignal(panel.insisted):
        qtbot.mouseClick(panel.answer._insist, Qt.MouseButton.LeftButton)
    panel.show_snapshot(Snapshot(finding=far))
    qtbot.waitUntil(lambda: "Shown because you asked" in texts(panel))
    assert "Glioma" in texts(panel)
    assert "It is a CT image." in texts(panel)
    panel.show_snapshot(Snapshot(finding=replace(far, probabilities=far.probabilities.copy())))
    assert NONE_NAMED in texts(panel)


def test_the_window_shows_no_map_of_what_is_not_the_models_kind(qtbot, window, client, on_disk):
    on_disk[SCAN] = Opened((study(series(Source(head(3)))),), ())
    client.ready()
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    client.answer(replace(finding(client.last.volume), ood=FAR))
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    assert window.assessment.hides_class
    assert window.viewer._snapshot.finding is None
    qtbot.mouseClick(window.assessment.answer._insist, Qt.MouseButton.LeftButton)
    assert window.viewer._snapshot.finding is not None
    qtbot.waitUntil(lambda: "Shown because you asked" in texts(window.assessment))


def test_small_changes_of_the_shown_slice_are_tried_at_a_button(qtbot, window, client, on_disk):
    on_disk[SCAN] = Opened((study(series(Source(head(3)))),), ())
    client.ready()
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    window.viewer.set_slice(2)
    qtbot.mouseClick(window.assessment.answer._vary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: isinstance(client.last, Vary))
    assert client.last.slice == 2
    client.answer(Variation(2, "glioma", 0.94, 0.31, 0.95, ("meningioma",)))
    qtbot.waitUntil(lambda: "Slice 3, mirrored" in texts(window.assessment))
    said = texts(window.assessment)
    assert "Glioma gets 31.0 % to 95.0 % instead of 94.0 %" in said
    assert "give way to Meningioma" in said


SOME = Measured(0.95, 0.9, 0.99)
ERRORS = {"ece": Measured(0.016, 0.012, 0.047)}
CALIBRATION = Calibration(
    "Temperature scaling",
    {"ece": Measured(0.034, 0.03, 0.05)},
    ERRORS,
    (Bin(40, 0.9, SOME),),
    (Bin(4, 0.55, Measured(0.5, 0.0, 1.0)), Bin(36, 0.97, SOME)),
    {},
)
TRUST = Trust(40, 12, calibration=CALIBRATION, abstention=Abstention("", 0.8, SOME, SOME, SOME))


def test_reliability_is_said_in_words_with_its_interval():
    said = " ".join(reliability.describe_reliability(TRUST))
    assert "off by 1.6 % on average (1.2 % to 4.7 %)" in said
    assert "without calibration by 3.4 %" in said


@pytest.mark.parametrize("scheme", [theme.Scheme.DARK, theme.Scheme.LIGHT])
def test_the_diagram_is_drawn_and_can_be_read_aloud(qtbot, scheme):
    theme.apply_theme(scheme)
    diagram = reliability.ReliabilityDiagram()
    qtbot.addWidget(diagram)
    diagram.show_calibration(CALIBRATION)
    diagram.resize(480, 340)
    drawn = diagram.grab().toImage()
    accent = theme.current_colours().accent
    colours = {drawn.pixelColor(x, y).name() for x in range(480) for y in range(0, 340, 2)}
    assert accent in colours
    assert "said 97 %, right 95 % of 36" in diagram.accessibleDescription()


def test_a_model_that_nobody_measured_says_so(qtbot, monkeypatch):
    answered = finding(head(1))

    def no_model():
        raise InputError("models", "There is no model here.")

    made = reliability.make_reliability_dialog(None, no_model, answered)
    qtbot.addWidget(made)
    assert "There is no model here." in [part.text() for part in made.findChildren(QLabel)]
    card = replace(_card(), weights=replace(_card().weights, sha256=answered.model.sha256))
    monkeypatch.setattr(reliability.bundle, "read_card", lambda _: card)
    made = reliability.make_reliability_dialog(None, Path, answered)
    qtbot.addWidget(made)
    assert reliability.NOT_MEASURED in [part.text() for part in made.findChildren(QLabel)]


def _card():
    from tumorviewer.models import bundle
    from tumorviewer.resources import resource_path

    return replace(bundle.read_card(resource_path("models") / "head-mr-4"), trust=None)


def test_two_answers_of_the_same_numbers_are_not_taken_for_one(panel):
    far = replace(finding(head(1)), ood=FAR)
    panel.show_snapshot(Snapshot(finding=far))
    panel._insist()
    other = replace(far, probabilities=np.array(far.probabilities))
    panel.show_snapshot(Snapshot(finding=other))
    assert panel.hides_class
