"""Evidence beside an answer: words, similar cases, the model's card, and the page of this site."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel

from tests.desktop.parts import Source as VolumeReader
from tests.desktop.parts import finding, head, series, study
from tumorviewer.analysis.finding import SimilarCase, SimilarCases
from tumorviewer.analysis.messages import Done, FindSimilar
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.desktop.assessment.card_view import CardDialog
from tumorviewer.desktop.assessment.charts import MonthChart
from tumorviewer.desktop.assessment.data_folder import DataFolder, read_picture
from tumorviewer.desktop.assessment.site_page import SitePage
from tumorviewer.errors import Cancelled, InputError
from tumorviewer.models import bundle
from tumorviewer.models.trust_measures import Cohort, ConfidentMistake, Measured, Trust
from tumorviewer.models.trust_measures import SimilarityIndex as Described
from tumorviewer.records.site.agreement import Agreement, Group, Kappa, Rate
from tumorviewer.records.site.drift import Alarm
from tumorviewer.study.types import Opened


@pytest.fixture
def data(tmp_path) -> Path:
    """A site's copy of a data set."""
    folder = tmp_path / "data"
    (folder / "glioma").mkdir(parents=True)
    for number in range(3):
        pixels = np.full((40, 30), 60 * number + 30, np.uint8)
        Image.fromarray(pixels).save(folder / "glioma" / f"{number}.png")
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def similar(index: int, *digests: str) -> SimilarCases:
    cases = [
        SimilarCase("glioma", "Set of tests", 0.93 - row / 50, one, -1, row)
        for row, one in enumerate(digests)
    ]
    return SimilarCases(index, tuple(cases))


@pytest.fixture
def answered(window, client, on_disk, qtbot):
    """A window that shows an answer of a model with an index."""
    volume = head()
    shown = study(series(VolumeReader(volume)))
    on_disk[Path("brain")] = Opened((shown,), ())
    client.ready()
    window.open([Path("brain")])
    qtbot.waitUntil(lambda: bool(client.requests))
    found = replace(finding(client.last.volume), similar=similar(4, "0" * 16))
    client.answer(found)
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    return window


def test_files_are_found_by_their_content_and_known_again(data, tmp_path):
    first = data / "glioma" / "1.png"
    kept = tmp_path / "kept.json"
    assert DataFolder(data, kept).find([digest(first)]) == {digest(first): first}
    known = json.loads(kept.read_text())["files"]
    assert set(known) == {"glioma/0.png", "glioma/1.png", "glioma/2.png"}
    moved = data / "renamed.png"
    first.rename(moved)
    assert DataFolder(data, kept).find([digest(moved)]) == {digest(moved): moved}


def test_a_file_that_changed_is_read_again(data, tmp_path):
    kept, path = tmp_path / "kept.json", data / "glioma" / "0.png"
    before = digest(path)
    DataFolder(data, kept).find([])
    Image.new("L", (9, 9)).save(path)
    assert DataFolder(data, kept).find([before]) == {}
    assert DataFolder(data, kept).find([digest(path)]) == {digest(path): path}


def test_what_was_hashed_before_a_cancellation_is_kept(data, tmp_path):
    kept, calls = tmp_path / "kept.json", []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        DataFolder(data, kept).find([], check)
    assert len(json.loads(kept.read_text())["files"]) == 2


def test_a_folder_that_is_not_there_and_a_damaged_list(data, tmp_path):
    with pytest.raises(InputError, match="not there"):
        DataFolder(tmp_path / "nowhere", tmp_path / "kept.json").find([])
    kept = tmp_path / "kept.json"
    kept.write_text("[1, 2")
    path = data / "glioma" / "2.png"
    assert DataFolder(data, kept).find([digest(path)])


def test_a_picture_keeps_its_shape(data):
    assert read_picture(data / "glioma" / "2.png", -1, 40).shape == (40, 30)


def test_the_answer_in_words_is_copied(answered, qtbot):
    panel = answered.assessment.evidence
    assert "the answer is: Glioma" in panel.text.text()
    copy = next(one for one in panel.findChildren(type(panel.ask)) if one.text() == "Copy")
    copy.setFocus()
    qtbot.keyClick(copy, Qt.Key.Key_Space)
    assert QGuiApplication.clipboard().text() == panel.text.text()


def test_similar_cases_come_on_demand_and_go_with_the_slice(answered, client, on_disk, data, qtbot):
    panel = answered.assessment.evidence
    here = data / "glioma" / "1.png"
    on_disk[here] = Opened((study(series(VolumeReader())),), ())
    answered._settings.choose("data_folder", str(data))
    assert panel.similar.isHidden()
    panel.ask.setFocus()
    qtbot.keyClick(panel.ask, Qt.Key.Key_Space)
    request = client.last
    assert isinstance(request, FindSimilar)
    assert request.slice == answered.viewer.slice()
    client.tell(Done(len(client.requests), similar(request.slice, digest(here), "f" * 16)))
    qtbot.waitUntil(lambda: panel.similar.count() == 2)
    blank = panel.similar.item(1).icon().pixmap(20).toImage()
    assert panel.similar.item(0).text() == "Glioma, similarity 0.93\nSet of tests"
    qtbot.waitUntil(lambda: "picture of 1 is not shipped" in panel.note.text())
    assert panel.similar.item(0).icon().pixmap(20).toImage() != blank
    assert not panel.folder.isHidden()
    answered.viewer.set_slice(request.slice + 1)
    assert panel.similar.isHidden()


def test_an_answer_about_another_slice_is_dropped(answered, client, qtbot):
    panel = answered.assessment.evidence
    panel.ask.click()
    number, request = len(client.requests), client.last
    answered.evidence.ask()
    client.tell(Done(number, similar(request.slice, "0" * 16)))
    qtbot.wait(20)
    assert panel.similar.isHidden()


def test_a_map_that_failed_its_checks_is_said_in_words(answered, client, qtbot):
    panel = answered.assessment.evidence
    at = answered.reading.inference.state.finding.key_slices[0]
    assert "strongest" in panel.text.text()
    check = MapCheck(at + 1, "gradcam", "glioma", deletion=0.0, insertion=0.3)
    client.tell(Done(900, check))
    qtbot.wait(10)
    assert "strongest" in panel.text.text()
    client.tell(Done(901, replace(check, index=at)))
    qtbot.waitUntil(lambda: "The map failed its checks" in panel.text.text())
    assert "strongest" not in panel.text.text()


def test_a_model_without_an_index_says_so(window, client, on_disk, qtbot):
    on_disk[Path("brain")] = Opened((study(),), ())
    client.ready()
    window.open([Path("brain")])
    qtbot.waitUntil(lambda: bool(client.requests))
    client.answer()
    qtbot.waitUntil(lambda: window.assessment.has_answer)
    panel = window.assessment.evidence
    assert panel.ask.isHidden()
    assert "no index" in panel.note.text()


def texts(widget) -> str:
    return "\n".join(one.text() for one in widget.findChildren(QLabel))


@pytest.fixture
def measured(random_bundle, tmp_path, data):
    """A model's folder with measures and one mistake."""
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(random_bundle, folder)
    right = Measured(0.9, 0.85, 0.95)
    trust = Trust(
        100,
        12,
        similar=Described(400, ("Set of tests",), 64, right, 0.9, 0.25),
        cohort=Cohort({"slice_thickness": (1.0,) * 9}, {"vendor": {"GE": 1.0}}),
        mistakes=(
            ConfidentMistake(
                digest(data / "glioma" / "2.png"), -1, "glioma", "notumor", 0.98, "Set"
            ),
        ),
    )
    card = bundle.write_trust(folder, trust, {})
    figures = {
        "n": 100, "groups": 12, "accuracy": 0.93, "intervals": {"accuracy": [0.88, 0.97]},
        "per_class": {"glioma": {"n": 25, "recall": 0.9}},
        "confusion": {"classes": ["glioma", "notumor"], "matrix": [[24, 1], [0, 75]]},
    }  # fmt: skip
    card = replace(card, figures={"grouped_validation": figures})
    from tumorviewer.models import schema

    (folder / "card.json").write_text(schema.to_json(card), "utf-8")
    return folder


def test_the_card_says_it_in_words(qtbot, measured, data, qapp):
    from PySide6.QtWidgets import QListWidget, QWidget

    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = CardDialog(parent, measured, str(data))
    dialog.open()
    said = texts(dialog)
    assert "It was tried on 100 pictures of 12 groups" in said
    assert "Of 100 such pictures it classes 93 rightly" in said
    assert "90.0 % (85.0 to 95.0) have its class" in said
    assert said.count("Nobody measured this of this model.") == 3
    assert "{" not in said
    (mistakes,) = dialog.findChildren(QListWidget)
    assert mistakes.item(0).text() == "No tumour (98.0 %); it was Glioma"

    def light() -> int:
        return mistakes.item(0).icon().pixmap(20).toImage().pixelColor(10, 10).lightness()

    qtbot.waitUntil(lambda: abs(light() - 150) < 3)
    qtbot.keyClick(dialog.page, Qt.Key.Key_End)
    assert dialog.page.verticalScrollBar().value() == dialog.page.verticalScrollBar().maximum()
    dialog.close()


def test_an_old_card_says_what_nobody_measured(qtbot, random_bundle, qapp):
    from PySide6.QtWidgets import QWidget

    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = CardDialog(parent, random_bundle, "")
    assert texts(dialog).count("Nobody measured this of this model.") >= 6
    dialog.close()


def agreement() -> Agreement:
    alarms = (
        Alarm("distance", True, 1.0, 3.0, 180, 150),
        Alarm("disagreement", False, float("nan"), float("nan"), 0, 101),
    )
    return Agreement(
        "model 1", 30, 1, Rate(20, 17), Rate(0, 0), Kappa(0.7, 0.5, 0.9),
        (("2026-10", Rate(12, 11)), ("2026-11", Rate(8, 6))), (Group("sex", "F", Rate(9, 9)),),
        (("glioma", ("notumor",), 3),), alarms, several=2,
    )  # fmt: skip


def test_the_page_of_this_site(qtbot, qapp):
    page = SitePage()
    qtbot.addWidget(page)
    page.show_labels({"glioma": "Glioma", "notumor": "No tumour"})
    page.show_agreement(agreement())
    page.show()
    said = texts(page)
    assert "Reader and model agree on 17 of 20 (85 %; 64 to 95)." in said
    assert "Reader Glioma, model No tumour: 3." in said
    assert "2 of these answers left several classes open" in said
    assert "has changed, from 1.0 to 3.0" in said
    assert "too few yet; 101 are needed" in said
    months = page.findChild(MonthChart)
    assert months.accessibleDescription().startswith("2026-10: 11 of 12")
    drawn = months.grab().toImage()
    page.show_agreement(Agreement())
    assert "No model has answered here yet." in texts(page)
    assert months.grab().toImage() != drawn


def test_this_site_is_a_tab_and_a_key_away(window, qtbot):
    window.room.start()
    window.actions_["site"].trigger()
    page = window.room.site.page
    assert page.isVisible()
    qtbot.waitUntil(lambda: "No model has answered here yet." in texts(page))
    tabs = window.room.tabs
    assert tabs.tabText(tabs.currentIndex()) == "This site"
    tabs.setCurrentIndex(0)
    assert window.room.shows_worklist
    tabs.setCurrentIndex(1)
    assert page.isVisible()


def test_the_folder_of_the_data_is_typed_in_settings_and_kept(window, settings, tmp_path, qtbot):
    from tumorviewer.desktop.services import preferences
    from tumorviewer.desktop.shell.settings_dialog import FolderField, SettingsDialog

    dialog = SettingsDialog(window, settings, window.actions_)
    dialog.show()
    field = dialog.findChild(FolderField)
    dialog.pages.setCurrentWidget(field.parentWidget())
    dialog.activateWindow()
    field.line.setFocus()
    qtbot.waitUntil(field.line.hasFocus)
    qtbot.keyClicks(field.line, str(tmp_path))
    qtbot.keyClick(field.line, Qt.Key.Key_Tab)
    assert preferences.read_preferences(settings.file).values["data_folder"] == str(tmp_path)
    settings.choose_defaults()
    assert field.line.text() == ""
    dialog.close()
