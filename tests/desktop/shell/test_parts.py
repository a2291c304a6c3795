"""The smaller parts of the window, one by one."""

from __future__ import annotations

import json
import stat
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import QLabel, QMainWindow, QPlainTextEdit

from tests.desktop.parts import WORKS, Source, finding, head, series, study
from tumorviewer.analysis.messages import SelfTest
from tumorviewer.desktop.services.byte_cache import make_byte_cache
from tumorviewer.desktop.services.library import Library
from tumorviewer.desktop.services.preferences import Scheme
from tumorviewer.desktop.services.settings import RecentEntry, Settings
from tumorviewer.desktop.shell import screen, status
from tumorviewer.desktop.shell.actions import MENUS, SUBMENU, TABLE, Actions
from tumorviewer.desktop.viewer.map_controls import NOTHING_TO_POINT_AT, MapControls, describe_map
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.bars import Bar, ProbabilityBars, format_percent
from tumorviewer.desktop.widgets.controls import ElidedLabel, format_tip
from tumorviewer.desktop.worklist.refused_list import describe_refused, summarise_refused
from tumorviewer.desktop.worklist.start_page import StartPage
from tumorviewer.desktop.worklist.study_list import StudyList, describe_series_size, describe_study
from tumorviewer.study.types import Opened, Refused, Study

# Colours


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = np.array(QColor(colour).getRgbF()[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
def test_text_stands_out(colours):
    for ground in (colours.window, colours.panel, colours.raised, colours.accent_soft):
        assert contrast(colours.text, ground) >= 7
    for ground in (colours.window, colours.panel, colours.accent_soft):
        assert contrast(colours.secondary, ground) >= 4.5
    assert contrast(colours.accent, colours.panel) >= 4.5
    assert contrast(colours.on_accent, colours.accent) >= 4.5
    assert contrast(colours.warning, colours.panel) >= 4.5
    assert contrast(colours.text, colours.warning_soft) >= 7
    assert contrast(colours.text, colours.error_soft) >= 7


@pytest.mark.parametrize("scheme", Scheme)
def test_scheme_colours_the_application(qapp, scheme):
    theme.apply_theme(scheme)
    assert "$" not in qapp.styleSheet()
    if scheme is not Scheme.SYSTEM:
        assert (
            theme.current_colours()
            is {
                Scheme.DARK: theme.DARK,
                Scheme.LIGHT: theme.LIGHT,
                Scheme.HIGH_CONTRAST: theme.HIGH_CONTRAST,
            }[scheme]
        )
    assert all(QColor(value).isValid() for value in asdict(theme.current_colours()).values())


def test_icons_follow_the_text(qapp):
    for scheme, colours in (
        (Scheme.DARK, theme.DARK),
        (Scheme.LIGHT, theme.LIGHT),
        (Scheme.HIGH_CONTRAST, theme.HIGH_CONTRAST),
    ):
        theme.apply_theme(scheme)
        image = theme.make_icon("side_by_side").pixmap(20, 20).toImage()
        inked = [
            image.pixelColor(x, y)
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() > 250
        ]
        assert inked
        assert QColor(colours.text).lightness() == pytest.approx(inked[0].lightness(), abs=8)


# Actions


def test_no_key_does_two_things():
    keys = [QKeySequence(key).toString() for entry in TABLE for key in entry.keys]
    assert "" not in keys
    assert len(keys) == len(set(keys))
    assert len({entry.name for entry in TABLE}) == len(TABLE)


def test_every_action_is_in_a_menu(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = Actions(window)
    menus = actions.fill_menus(window)
    assert tuple(name for name in menus if SUBMENU not in name) == MENUS
    assert all(actions[entry.name] in menus[entry.menu].actions() for entry in TABLE)


# Dialogs


def test_self_test_in_words(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    dialog = status.make_self_test_dialog(window, WORKS, "")
    assert "No GPU is used." in dialog.findChild(QPlainTextEdit).toPlainText()
    assert status.summarise_self_test(WORKS, "") == "Model ready on cpu (2 threads)"
    broken = SelfTest(False, {}, "", ("torch cannot be used: ImportError",))
    assert "cannot run" in status.summarise_self_test(broken, "")
    assert "torch cannot be used" in status.describe_self_test(broken)
    assert "not reported yet" in status.describe_self_test(None)


def test_about_says_research_use(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    texts = [each.text() for each in status.make_about_dialog(window).findChildren(QLabel)]
    assert any("Research use only" in text for text in texts)


# What is open


def test_library_merges_a_study_that_comes_in_two_drops():
    library, first, second = Library(), series(uid="1.2.3"), series(uid="1.2.4")
    library.add(Opened((study(first),), ()))
    assert library.add(Opened((study(second),), ())).new == [second]
    assert library.series() == [first, second]
    assert library.neighbour(first, 1) is second
    assert library.neighbour(second, 1) is None
    assert library.study_of(second) is library.studies[0]


def test_two_patients_with_one_study_uid_stay_two():
    library = Library()
    library.add(Opened((study(),), ()))
    other = Study("Brain", (series(),), "1.2", "Roe^Richard", "PID-78")
    library.add(Opened((other,), ()))
    assert len(library.studies) == 2


def test_a_file_that_is_opened_twice_is_there_once():
    library = Library()
    for _ in range(2):
        library.add(Opened((Study("a.png", (series(uid=None, title="a.png"),)),), ()))
    assert len(library.studies) == 1


def test_kept_forgets_the_oldest():
    kept = make_byte_cache(10, len)
    for key, size in (("a", 4), ("b", 4), ("c", 4)):
        kept.get("a")
        kept[key] = b"x" * size
    assert kept.get("b") is None
    assert kept.get("a") is not None
    kept["big"] = b"x" * 100
    assert kept.get("big") is not None
    assert kept.get("a") is None


# The list


def test_study_list_shows_plain_text_and_hides_the_patient(qtbot):
    listed = StudyList()
    qtbot.addWidget(listed)
    library = Library()
    library.add(Opened((study(), Study("x.png", (series(uid=None, title="x.png"),))), ()))
    listed.show_library(library)
    model = listed.model()
    top = [model.index(row, 0) for row in range(model.rowCount())]
    assert "<b>" not in top[0].data(3)  # the tooltip role
    assert "&lt;b&gt;" in top[0].data(3)
    assert top[1].data(11) == "x.png"  # the accessible text role
    listed.hide_patient(True)
    spoken = [
        model.index(row, 0, model.index(at, 0)).data(11) for at in range(2) for row in range(1)
    ]
    assert spoken == ["T1 post contrast, MR · 9 slices", "File 1, MR · 9 slices"]
    assert "Jane" not in model.index(0, 0).data(11)


def test_study_list_tells_what_is_chosen_and_keeps_it(qtbot):
    listed = StudyList()
    qtbot.addWidget(listed)
    library, chosen = Library(), []
    first, second = series(uid="1"), series(uid="2", title="T2")
    library.add(Opened((study(first, second),), ()))
    listed.chosen.connect(chosen.append)
    listed.show_library(library)
    listed.select(second)
    assert chosen == []
    listed.hide_patient(True)
    assert listed.current() is second
    listed.setCurrentIndex(listed.indexAbove(listed.currentIndex()))
    assert len(chosen) == 1
    assert chosen[0] is first


@pytest.mark.parametrize("shape", [(60, 96), (96, 40, 3)])
def test_thumbnails_of_both_kinds(qtbot, shape):
    listed = StudyList()
    qtbot.addWidget(listed)
    library, one = Library(), series()
    library.add(Opened((study(one),), ()))
    listed.show_library(library)
    listed.set_thumbnail(one, np.full(shape, 200, np.uint8))
    listed.resize(260, 200)
    image = listed.grab().toImage()
    assert image.pixelColor(40, 90).lightness() > 150


def test_texts_of_rows():
    two = series(Source(), Source())
    assert describe_series_size(two) == "MR · 9 slices · 2 volumes"
    assert describe_series_size(series(Source(head(1)))) == "MR · 1 slice"
    assert describe_study([study()], 3, True) == ("Study 3", "Brain <b>MR</b>")


# What is not shown


def test_refused_text_groups_by_reason_errors_first():
    cut = "It is cut short."
    refused = [
        Refused("report", "It has no pixels.", is_error=False),
        *(Refused(f"{number}.dcm", cut, "Copy it again.") for number in range(5)),
    ]
    text = describe_refused(refused)
    assert text.index("Copy it again.") < text.index("no pixels")
    assert text.count(cut) == 1
    assert "4.dcm" in text
    assert "and 3 more" in describe_refused(refused, most_names=2)
    assert "dcm" not in describe_refused(refused, hide_names=True)
    assert "5 of them" in describe_refused(refused, hide_names=True)
    assert summarise_refused(refused) == "6 not shown · 5 errors"


# The answer


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0, "0.0 %"),
        (0.0001, "< 0.1 %"),
        (0.123, "12.3 %"),
        (0.99951, "> 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_percent(probability, text):
    assert format_percent(probability) == text


def test_bars_say_their_numbers_to_screen_readers(qtbot):
    bars = ProbabilityBars()
    qtbot.addWidget(bars)
    bars.set_bars((Bar("Glioma", 0.9, True), Bar("No tumour", 0.1)))
    assert bars.accessibleDescription() == "Glioma 90.0 %, No tumour 10.0 %"
    assert not bars.grab().isNull()


def test_words_under_the_map():
    volume = head()
    assert NOTHING_TO_POINT_AT in describe_map(finding(volume, "notumor"))
    assert NOTHING_TO_POINT_AT not in describe_map(finding(volume, "glioma"))


def test_map_controls_ask_for_what_is_chosen(qtbot):
    controls = MapControls()
    qtbot.addWidget(controls)
    controls.show_finding(finding(head()))
    with qtbot.waitSignal(controls.explanation_wanted) as asked:
        controls._target.setCurrentIndex(2)
        controls._target.activated.emit(2)
    assert asked.args == ["gradcam", "meningioma", ""]
    methods = [controls._method.itemText(at) for at in range(controls._method.count())]
    assert methods[0] == "Grad-CAM"
    assert "EigenCAM (same map whatever the class)" in methods


# Small things


def test_tooltips_are_not_markup():
    assert format_tip("<img src=x>\n&") == "<span>&lt;img src=x&gt;<br>&amp;</span>"
    assert format_tip("") == ""


def test_long_names_are_cut_with_the_whole_in_the_tooltip(qtbot):
    label = ElidedLabel("a very long name " * 20)
    qtbot.addWidget(label)
    label.resize(100, 20)
    label.show()
    assert "a very long name" in label.toolTip()
    assert label.minimumSizeHint().width() == 0


def test_start_page_lists_recent_and_hides_names(qtbot):
    page = StartPage()
    qtbot.addWidget(page)
    page.show_recent((RecentEntry("Doe", ("/x/Doe",)),), hide_names=True)
    names = [
        each.accessibleName() for each in page.findChildren(type(page._demonstration_button()))
    ]
    assert not any("Doe" in name for name in names)
    assert any("Recent study 1" in name for name in names)


# Settings


def test_settings_come_back(qapp):
    Settings().scheme = Scheme.LIGHT
    Settings().set_layout("window", QByteArray(b"\x01\x02"))
    for number in range(12):
        Settings().remember(RecentEntry(f"study {number}", (f"/data/{number}",)))
    Settings().remember(RecentEntry("study 5", ("/data/5",)))
    again = Settings()
    assert again.scheme is Scheme.LIGHT
    assert again.layout("window") == b"\x01\x02"
    assert [entry.title for entry in again.recent()][:2] == ["study 5", "study 11"]
    assert len(again.recent()) == 8
    again.forget_recent()
    assert Settings().recent() == ()


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_settings_are_the_users_own(qapp, tmp_path):
    file = tmp_path / "new" / "settings.toml"
    settings = Settings(file)
    settings.remember(RecentEntry("Doe", ("/x/Doe",)))
    settings.scheme = Scheme.LIGHT
    del qapp, settings
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    for each in (file, file.with_name("window.ini")):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[General]\ncolours='x'\nrecent=[1, {}]\n", "\x00\xff"])
def test_damaged_settings_are_as_none(qapp, tmp_path, content):
    for name in ("settings.toml", "window.ini"):
        (tmp_path / name).write_text(content, "latin-1")
    settings = Settings(tmp_path / "settings.toml")
    assert settings.scheme is Scheme.DARK
    assert settings.recent() == ()
    assert settings.layout("window").isEmpty()


def test_recent_has_a_title_from_its_paths():
    one, two = Path("/data/brain"), Path("/data/other")
    assert RecentEntry.of([one]) == RecentEntry("brain", ("/data/brain",))
    assert RecentEntry.of([one, two]).title == "brain and 1 more"
    assert json.dumps(asdict(RecentEntry.of([one])))


# The screen


def test_no_display_is_said_with_a_remedy(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not screen.has_display()
    assert "tumorviewer classify" in screen.find_display_problem()


def test_a_server_that_does_not_answer_is_no_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("QT_QPA_PLATFORM")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":4711")
    assert not screen.has_display()


def test_nobody_sees_the_offscreen_platform(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert not screen.has_display()
    assert screen.find_display_problem() is None


def test_missing_libraries_are_named_with_their_packages(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.setenv("DISPLAY", ":0")
    absent = ("libEGL.so.1", "libxcb-cursor.so.0", "libqxcb.so")
    monkeypatch.setattr(screen, "_loads", lambda name: Path(name).name not in absent)
    assert screen.find_missing_libraries() == ("libegl1", "libxcb-cursor0")
    assert "sudo apt-get install libegl1 libxcb-cursor0" in screen.find_display_problem()
