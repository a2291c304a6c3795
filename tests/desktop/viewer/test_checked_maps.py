"""The map that a reader rests on is checked; what fails is greyed; why not another class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.desktop.parts import finding, head, series, study
from tests.desktop.shell.test_window import drop, mime, visible_text
from tumorviewer.analysis.messages import CheckMap, Explain, Failed
from tumorviewer.analysis.trust.map_verdict import NO_TUMOUR, MapCheck
from tumorviewer.desktop.viewer import map_check_controller
from tumorviewer.desktop.viewer.map_controls import MapControls
from tumorviewer.models import bundle
from tumorviewer.models.trust_measures import MapMeasures, MapScores, Measured, Trust
from tumorviewer.resources import resource_path
from tumorviewer.study.types import Opened

SCAN = Path("/scans/one")
GOOD = MapCheck(4, "gradcam", "glioma", "", "", 0.6, 0.1, 0.8, ("layercam", "hirescam"), 0.9, 0.95)


@pytest.fixture
def answered(qtbot, window, client, on_disk, monkeypatch):
    """The window with an answer, on slice 5."""
    monkeypatch.setattr(map_check_controller, "REST_MS", 10)
    on_disk[SCAN] = Opened((study(series()),), ())
    client.ready()
    drop(window, mime(SCAN))
    qtbot.waitUntil(lambda: len(client.requests) == 1)
    client.answer()
    window.viewer.set_slice(4)
    return window


def asked(qtbot, client, index=4) -> CheckMap:
    qtbot.waitUntil(lambda: isinstance(client.last, CheckMap) and client.last.index == index)
    return client.last


def colours(window) -> np.ndarray:
    image = window.viewer.map.overlay(4)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(-1, 4)
    return pixels[pixels[:, 3] > 100, :3]


def test_a_map_that_passes_says_so(qtbot, answered, client):
    request = asked(qtbot, client)
    assert (request.method, request.target) == ("gradcam", "glioma")
    assert "being checked" in visible_text(answered.assessment)
    client.answer(GOOD)
    text = visible_text(answered.assessment)
    assert "Checked: deletion − insertion +0.50, agreement 0.80" in text
    assert "Do not rely" not in text
    assert np.ptp(colours(answered), axis=1).max() > 50
    assert answered.viewer.map.remark(4) == ""


def test_a_map_that_fails_is_greyed_with_the_reason(qtbot, answered, client):
    asked(qtbot, client)
    client.answer(replace(GOOD, agreement=-0.1, stability=0.2))
    text = visible_text(answered.assessment)
    assert "Do not rely on this map." in text
    assert "Other methods point elsewhere." in text
    assert not np.ptp(colours(answered), axis=1).any()
    assert "Other methods point elsewhere." in answered.viewer.map.remark(4)
    answered.viewer.set_slice(5)
    assert "Do not rely" not in visible_text(answered.assessment)
    asked(qtbot, client, 5)
    client.answer(replace(GOOD, index=5))
    answered.viewer.set_slice(4)
    assert "Do not rely on this map." in visible_text(answered.assessment)
    qtbot.wait(40)
    assert client.last.index == 5  # slice 5 was not asked about again


def test_turning_on_gives_the_check_up(qtbot, answered, client):
    asked(qtbot, client)
    number = len(client.requests)
    answered.viewer.set_slice(6)
    assert number in client.cancelled
    asked(qtbot, client, 6)
    client.tell(Failed(len(client.requests), "no memory"))
    assert "being checked" not in visible_text(answered.assessment)
    assert answered.assessment.has_answer


def test_nothing_to_point_at_is_said(qtbot, answered, client):
    asked(qtbot, client)
    client.answer(MapCheck(4, "gradcam", "glioma", nothing=NO_TUMOUR))
    assert NO_TUMOUR in visible_text(answered.assessment)
    assert answered.viewer.map.remark(4) == NO_TUMOUR


def test_why_not_another_class(qtbot, answered, client):
    controls = answered.assessment.maps
    controls._against.setCurrentIndex(controls._against.findData("meningioma"))
    controls._against.activated.emit(controls._against.currentIndex())
    request = client.last
    assert isinstance(request, Explain)
    assert (request.method, request.target, request.against) == ("gradcam", "glioma", "meningioma")
    saliency = finding(request.volume).saliency
    client.answer(replace(saliency, against="meningioma"))
    assert "Glioma, not Meningioma" in answered.viewer.colour_bar.accessibleDescription()
    assert controls.against == "meningioma"
    assert asked(qtbot, client).against == "meningioma"


def test_why_not_leaves_the_method_of_later_maps_alone(qtbot, answered, client):
    inference = answered.reading.inference
    inference.explain("eigencam", "")
    client.answer()
    controls = answered.assessment.maps
    controls._against.setFocus()
    before = len(client.requests)
    QTest.keyClick(controls._against, Qt.Key.Key_Down)
    assert len(client.requests) == before + 1
    assert (client.last.against, client.last.method != "eigencam") == ("meningioma", True)
    client.answer()
    inference.analyse()
    assert inference.method == "eigencam"


def test_the_best_method_is_named_with_what_it_reaches(qtbot):
    point = Measured(0.86, 0.8, 0.9)
    scores = [
        MapScores(method, 90, point, point, point, 0.3, point, point, (0.1,), passes)
        for method, passes in (("eigencam", True), ("gradcam", False), ("layercam", True))
    ]
    card = replace(
        bundle.read_card(resource_path("models") / "light"),
        trust=Trust(90, 9, maps=MapMeasures("eigencam", 90, 9, tuple(scores))),
    )
    controls = MapControls()
    qtbot.addWidget(controls)
    controls.show_model(card)
    titles = [controls._method.itemText(at) for at in range(controls._method.count())]
    assert any("best: peak inside the tumour in 86 % of held-out cases" in one for one in titles)
    assert not any("Attention" in one for one in titles)  # the light CNN has none
    controls.show_finding(finding(head(), method="eigencam"))
    assert controls.method == "eigencam"
    with qtbot.waitSignal(controls.explanation_wanted) as wanted:
        controls._against.setCurrentIndex(1)
        controls._against.activated.emit(1)
    assert wanted.args == ["layercam", "", "meningioma"]  # the best that can tell classes apart
