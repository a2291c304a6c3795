"""Hanging protocols, and the series that a layout shows beside the shown one."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.desktop.parts import Source, head
from tests.desktop.viewer.test_viewport import levels, wheel
from tumorviewer.desktop.viewer import hanging_protocols
from tumorviewer.desktop.viewer.companions import NO_MORE, NO_PRIOR
from tumorviewer.desktop.viewer.layouts import (
    CURRENT_PRIOR,
    PLANES,
    PRIOR,
    SIDE_BY_SIDE,
    Pane,
    make_grid,
)
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.errors import InputError
from tumorviewer.resources import home_path
from tumorviewer.study.types import Opened, Series, Study

SCAN = Path("/scans/one")
FRAME = "1.2.840.99"


class Placed(Source):
    """A source whose place is known, as real ones are."""

    def __init__(self, volume=None, label="", frame=FRAME):
        super().__init__(volume, label)
        self.volume = replace(self.volume, frame_of_reference=frame)
        self.affine = self.volume.affine
        self.load = self._load

    def _load(self, progress=None):
        self.loads += 1
        for index in range(len(self.volume.array)):
            if progress is not None:
                progress(self.volume, index)
        return self.volume


def series(title: str, uid: str, *sources: Source, modality="MR") -> Series:
    return Series(title, sources or (Placed(),), "folder", uid, modality)


def study(*all_series: Series, uid="1", date="2026-03-01", **fields) -> Study:
    return Study("Head", all_series, uid, "Doe^Jane", fields.get("patient", "77"), date)


def brain(**fields) -> Study:
    return study(
        series("t2_tse", "1.1"), series("t1 native", "1.2"), series("flair", "1.3"),
        series("t1 post gd", "1.4"), **fields,
    )  # fmt: skip


# Rules


def test_brain_tumour_mr_is_hung_as_it_is_read() -> None:
    protocol = hanging_protocols.load_shipped_protocols().of(brain())
    assert protocol.name == "Brain tumour MR"
    assert protocol.layout == make_grid(2, 2)
    titles = [one.title for one in protocol.arranged(brain()).series]
    assert titles == ["t1 post gd", "flair", "t2_tse", "t1 native"]


def test_few_series_and_ct_have_their_own_rules() -> None:
    protocols = hanging_protocols.load_shipped_protocols()
    assert protocols.of(study(series("t1", "1"))).layout == SIDE_BY_SIDE
    axial = Placed(replace(head(), affine=np.eye(4)[[2, 1, 0, 3]]))
    head_ct = study(series("Head plain", "1", axial, modality="CT"))
    assert protocols.of(head_ct).window == "Brain"
    assert protocols.of(study(series("Thorax", "1", Placed(), modality="CT"))) is None
    assert protocols.of(study(series("scan.nii", "1", modality=""))) is None


def write(text: str) -> Path:
    path = home_path(hanging_protocols.FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_users_file_takes_the_place_of_the_shipped_one() -> None:
    write(
        '[[protocol]]\nname = "mine"\nmodality = "MR"\ndescription = "t2"\nplane = "sagittal"\n'
        'layout = "3x4"\nwindow = { centre = 40, width = 80 }\n'
    )
    protocol = hanging_protocols.load_protocols().of(brain())
    assert (protocol.name, protocol.layout, protocol.window.width) == ("mine", make_grid(3, 4), 80)
    assert hanging_protocols.load_protocols().of(study(series("t1", "1"))) is None


def test_plane_rules_look_at_geometry_not_at_names() -> None:
    write('[[protocol]]\nname = "x"\nlayout = "planes"\nplane = "coronal"\n')
    coronal = Placed(replace(head(), affine=np.eye(4)[[2, 0, 1, 3]]))
    assert (
        hanging_protocols.load_protocols().of(study(series("axial?", "1", coronal))).layout
        == PLANES
    )
    assert hanging_protocols.load_protocols().of(study(series("coronal", "1"))) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[protocol", "cannot be read"),
        ('[[protocol]]\nname = "x"\n', "layout"),
        ('[[protocol]]\nname = "x"\nlayout = "9x9"\n', "no layout"),
        ('[[protocol]]\nname = "x"\nlayout = "planes"\norder = ["T9"]\n', "T9"),
        ('[[protocol]]\nname = "x"\nlayout = "planes"\nplane = "flat"\n', "no plane"),
        ('[[protocol]]\nname = "x"\nlayout = "planes"\ndescription = "("\n', "not valid"),
        ('[[protocol]]\nname = "x"\nlayout = "planes"\nwindow = { centre = "a" }\n', "not valid"),
        ('[[protocol]]\nname = "x"\nlayout = "planes"\ncolour = 1\n', "colour"),
        ("protocol = 3\n", "not valid"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(text, words) -> None:
    write(text)
    with pytest.raises(InputError, match=words):
        hanging_protocols.load_protocols()


def test_the_prior_is_the_latest_earlier_study_of_the_patient() -> None:
    now = brain()
    older, old = brain(uid="2", date="2025-01-01"), brain(uid="3", date="2025-06-01")
    later, other = brain(uid="4", date="2026-09-09"), brain(uid="5", date="2025-12-31", patient="9")
    found = hanging_protocols.find_prior(now, now.series[3], [now, older, later, other, old])
    assert found[0] is old
    assert found[1].title == "t1 post gd"
    assert hanging_protocols.find_prior(now, now.series[0], [now, later, other]) is None
    nameless = brain(uid="6", patient="")
    assert hanging_protocols.find_prior(nameless, nameless.series[0], [nameless, old]) is None


# In the window


@pytest.fixture
def hung(qtbot, window, client, on_disk):
    client.ready()
    on_disk[SCAN] = Opened((brain(),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: all(volume_in(window, number) is not None for number in range(4)))
    return window


def volume_in(window, number: int):
    viewport = next(v for p, v in window.viewer.panes._viewports.items() if p == Pane(number))
    return viewport.state.volume


def test_opening_hangs_the_study(hung) -> None:
    assert hung.viewer.shown_layout == make_grid(2, 2)
    assert hung.actions_["grid_2x2"].isChecked()
    assert hung.reading.shown.series.title == "t1 post gd"
    panes = hung.viewer.panes
    assert "flair" in panes.viewport(Pane(1)).series_lines
    assert "FLAIR? (by name)" in panes.viewport(Pane(1)).series_lines
    assert "Doe^Jane" in panes.viewport(Pane(3)).patient_lines


def test_hung_series_scroll_together(hung) -> None:
    panes = hung.viewer.panes
    wheel(panes.viewport(Pane(2)), -120)
    assert {panes.viewport(Pane(number)).state.index for number in range(4)} == {5}


@pytest.fixture
def apart(qtbot, window, client, on_disk) -> Viewport:
    """A series of another frame of reference, beside the shown one."""
    client.ready()
    other = series("t2", "1.2", Placed(frame="9.9"))
    on_disk[SCAN] = Opened((study(series("t1", "1.1"), other),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    QTest.keyClick(window, Qt.Key.Key_6)
    qtbot.waitUntil(lambda: volume_in(window, 1) is not None)
    return window.viewer.panes.viewport(Pane(1))


def test_another_frame_is_not_linked_and_says_so(window, apart) -> None:
    assert "another frame of reference" in apart.series_lines
    before = apart.state.index
    wheel(window.viewer.image, -120)
    assert apart.state.index == before


def test_a_series_that_comes_later_goes_to_where_the_reader_is(qtbot, window, client, on_disk):
    client.ready()
    longer = series("t2", "1.2", Placed(head(30)))
    on_disk[SCAN] = Opened((study(series("t1", "1.1"), longer),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: bool(window.viewer.windows()))
    window.viewer.set_slice(1)
    preset = window.viewer.state.window
    QTest.keyClick(window, Qt.Key.Key_6)
    qtbot.waitUntil(lambda: volume_in(window, 1) is not None)
    second = window.viewer.panes.viewport(Pane(1)).state
    assert (window.viewer.state.index, window.viewer.state.window) == (1, preset)
    assert second.index == 1


def test_another_frame_is_tied_by_hand_and_parted_again(window, apart) -> None:
    wheel(apart, -120)
    QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ShiftModifier)
    assert "Linked by hand" in apart.series_lines
    here, there = window.viewer.image.state.index, apart.state.index
    assert there == here + 1
    wheel(window.viewer.image, 120)
    assert apart.state.index == there - 1
    wheel(apart, 120)
    assert window.viewer.image.state.index == here - 2
    QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ShiftModifier)
    assert "another frame of reference" in apart.series_lines
    wheel(apart, 120)
    assert window.viewer.image.state.index == here - 2


def test_current_and_prior(qtbot, hung, on_disk) -> None:
    QTest.keyClick(hung, Qt.Key.Key_5)
    prior = hung.viewer.panes.viewport(Pane(PRIOR))
    assert hung.viewer.shown_layout is CURRENT_PRIOR
    assert prior.message == NO_PRIOR
    shown = hung.reading.shown
    on_disk[Path("/old")] = Opened((brain(uid="8", date="2024-02-02"),), ())
    hung.open([Path("/old")])
    qtbot.waitUntil(lambda: len(hung.reading.library.studies) == 2)
    hung.reading.show_series(shown.series)
    QTest.keyClick(hung, Qt.Key.Key_5)
    qtbot.waitUntil(lambda: prior.state.volume is not None)
    assert "2024-02-02" in prior.patient_lines
    assert prior.message == ""


def test_a_place_without_a_series_says_so(qtbot, hung) -> None:
    QTest.keyClick(hung, Qt.Key.Key_8)
    qtbot.waitUntil(lambda: volume_in(hung, 3) is not None)
    assert hung.viewer.panes.viewport(Pane(4)).message == NO_MORE
    levels(hung.viewer.panes.viewport(Pane(4)))


def test_a_series_that_cannot_be_read_says_so_in_its_place(qtbot, window, client, on_disk) -> None:
    client.ready()
    broken = series("t2", "1.2", Source(error="It is cut short."))
    on_disk[SCAN] = Opened((study(series("t1", "1.1"), broken, series("flair", "1.3")),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    QTest.keyClick(window, Qt.Key.Key_7)
    qtbot.waitUntil(lambda: volume_in(window, 1) is not None)
    second = window.viewer.panes.viewport(Pane(2))
    qtbot.waitUntil(lambda: "cut short" in second.message)


def test_broken_protocols_are_said_and_the_shipped_ones_used(
    qtbot, window, client, on_disk
) -> None:
    write("[[protocol")
    client.ready()
    on_disk[SCAN] = Opened((brain(),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: window.viewer.shown_layout == make_grid(2, 2))
    assert hanging_protocols.FILE in window.status.currentMessage()


def test_a_second_series_is_laid_over(qtbot, hung) -> None:
    QTest.keyClick(hung, Qt.Key.Key_3)
    image = hung.viewer.image
    plain = image.grab().toImage().pixelColor(image.rect().center())
    QTest.keyClick(hung, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: hung.viewer._fused is not None)
    fused = image.grab().toImage().pixelColor(image.rect().center())
    assert fused != plain
    assert fused.red() != fused.green()
    assert "In colour: flair" in image.series_lines
    QTest.keyClick(hung, Qt.Key.Key_S)
    assert image.grab().toImage().pixelColor(image.rect().center()) == plain


def test_the_series_laid_over_is_one_of_the_same_place(qtbot, window, client, on_disk) -> None:
    client.ready()
    files = [study(series(title, None, Placed(volume)), uid=None) for title, volume in (
        ("a.nii", head()), ("elsewhere.nii", head(slices=5)), ("mask.nii", head()),
    )]  # fmt: skip
    on_disk[SCAN] = Opened(tuple(files), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    window.viewer.image.setFocus()
    QTest.keyClick(window.viewer.image, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: window.viewer._fused is not None)
    assert "In colour: mask.nii" in window.viewer.image.series_lines
    assert window.viewer.image.remark(0) == ""


def test_what_is_laid_over_one_study_is_not_laid_over_another(
    qtbot, window, client, tmp_path
) -> None:
    client.ready()
    window.open([nifti(tmp_path / "1", "a_t1", "a_t2")])
    qtbot.waitUntil(lambda: window.viewer.state.is_complete and window.viewer.state.count > 0)
    window.viewer.image.setFocus()
    QTest.keyClick(window.viewer.image, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: window.viewer._fused is not None)
    window.open([nifti(tmp_path / "2", "b_t1", "b_t2")])
    qtbot.waitUntil(lambda: window.reading.shown.series.title.startswith("b_"))
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    assert not window.actions_["fuse"].isChecked()
    assert window.viewer._fused is None


def test_volumes_of_a_series_by_a_slider_keep_the_place(qtbot, window, client, on_disk) -> None:
    client.ready()
    echoes = [Placed(replace(head(), series_instance_uid="1.5"), f"echo {n}") for n in (1, 2, 3)]
    on_disk[SCAN] = Opened((study(series("fmri", "1.5", *echoes)),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    bar, state = window.viewer.volume_bar, window.viewer.state
    assert bar.isVisible()
    state.set_slice(2)
    state.zoom_about(state.centre, 2)
    bar.slider.setFocus()
    QTest.keyClick(bar.slider, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: window.reading.shown.volume == 1 and echoes[1].loads == 1)
    qtbot.waitUntil(lambda: state.volume is echoes[1].volume)
    assert (state.index, state.zoom) == (2, 2)
    assert "2 / 3" in bar._text.text()


def test_closing_gives_the_pixels_of_all_places_back(qtbot, hung, client, on_disk) -> None:
    pixels = [weakref.ref(volume_in(hung, number)) for number in range(4)]
    hung.actions_["close_all"].trigger()
    client.requests.clear()
    on_disk.clear()
    qtbot.waitUntil(lambda: gc.collect() >= 0 and not any(volume_in(hung, n) for n in range(4)))
    assert all(len(hung.reading.side_loader.kept) == 0 for _ in pixels)


def test_files_of_a_case_are_beside_each_other_and_no_others(
    qtbot, window, client, on_disk
) -> None:
    client.ready()
    names = ("a_t1.nii", "b_t2.nii", "a_t2.nii")
    files = [
        Study(name, (replace(series(name, None, Placed(), modality=""), source=f"folder/{name}"),))
        for name in names
    ]
    on_disk[SCAN] = Opened(tuple(files), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    QTest.keyClick(window, Qt.Key.Key_7)
    qtbot.waitUntil(lambda: volume_in(window, 1) is not None)
    assert "a_t2.nii" in window.viewer.panes.viewport(Pane(1)).patient_lines
    assert volume_in(window, 2) is None
    assert window.viewer.panes.viewport(Pane(2)).patient_lines == ()


def nifti(folder: Path, *names: str, spacing: float = 2.0) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        image = nibabel.Nifti1Image(head(side=24).array.T, np.diag([spacing, 2.0, 5.0, 1.0]))
        nibabel.save(image, folder / f"{name}.nii.gz")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("x_t1ce", "x_flair", "x_t2", "x_t1"),
        ("GLI-1-000-t1c", "GLI-1-000-t2f", "GLI-1-000-t2w", "GLI-1-000-t1n"),
        ("sub-01_ce-gd_T1w", "sub-01_FLAIR", "sub-01_T2w", "sub-01_T1w"),
    ],
    ids=["BraTS", "BraTS 2023", "BIDS"],
)  # fmt: skip
def test_files_named_after_sequences_are_hung_as_a_study(
    qtbot, window, client, tmp_path, names
) -> None:
    client.ready()
    window.open([nifti(tmp_path / "case", *sorted(names), "x_seg")])
    qtbot.waitUntil(lambda: window.viewer.shown_layout == make_grid(2, 2))
    qtbot.waitUntil(lambda: volume_in(window, 3) is not None)
    views = [window.viewer.panes.viewport(Pane(number)) for number in range(4)]
    assert [view.patient_lines for view in views] == [(f"{name}.nii.gz",) for name in names]
    said = [line for view in views for line in view.series_lines if "by name" in line]
    assert said == [
        f"{kind}? (by name)" for kind in ("T1 + contrast", "FLAIR", "T2", "T1")
    ]  # fmt: skip
    wheel(views[2], -120)
    assert len({view.state.index for view in views}) == 1


def test_files_of_two_patients_in_one_folder_are_not_hung_together(
    qtbot, window, client, tmp_path
) -> None:
    client.ready()
    kinds = ("t1", "t1ce", "t2", "flair")
    folder = nifti(tmp_path, *(f"{case}_{kind}" for kind in kinds for case in ("a", "b")))
    window.open([folder])
    qtbot.waitUntil(lambda: window.viewer.shown_layout == make_grid(2, 2))
    qtbot.waitUntil(lambda: volume_in(window, 3) is not None)
    listed = window.reading.library.studies
    wanted = [f"{case}_{kind}.nii.gz" for case in "ab" for kind in ("t1ce", "flair", "t2", "t1")]
    assert [one.title for one in listed] == wanted
    window.reading.show_series(listed[4].series[0])
    last = window.viewer.panes.viewport(Pane(3))
    qtbot.waitUntil(lambda: last.patient_lines == ("b_t1.nii.gz",))


def test_loose_files_of_several_patients_have_a_tab_each_and_one_of_a_case(
    qtbot, window, client, tmp_path
) -> None:
    client.ready()
    names = ("a_t1", "a_t1ce", "b_t1", "patient_1", "patient_2")
    window.open([nifti(tmp_path, *names)])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    tabs = window.room.tabs
    said = [tabs.tabText(at) for at in range(1, tabs.count())]
    assert said == ["a", "b_t1.nii.gz", "patient_1.nii.gz", "patient_2.nii.gz"]
    QTest.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(2).center())
    qtbot.waitUntil(lambda: window.viewer.state.is_complete)
    assert window.reading.shown.series.title == "b_t1.nii.gz"
    for key in (Qt.Key.Key_6, Qt.Key.Key_7):
        QTest.keyClick(window, key)
        others = [view.state for view in window.viewer.panes.viewports() if view.isVisible()][1:]
        assert others
        assert all(state.volume is None for state in others)
    window.actions_["hide_patient"].trigger()
    assert "patient" not in " ".join(tabs.tabText(at) for at in range(tabs.count()))


def test_files_without_a_known_sequence_are_shown_as_they_came(
    qtbot, window, client, tmp_path
) -> None:
    client.ready()
    window.open([nifti(tmp_path, "d", "c", "b", "a")])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    assert [one.title[0] for one in window.reading.library.studies] == ["a", "b", "c", "d"]
    assert window.viewer.shown_layout == SIDE_BY_SIDE


def test_an_outline_comes_after_the_sequence(qtbot, window, client, tmp_path) -> None:
    client.ready()
    window.open([nifti(tmp_path, "Pre_Mask", "Pre_Scan_T1")])
    qtbot.waitUntil(lambda: window.viewer.state.volume is not None)
    assert window.reading.shown.series.title == "Pre_Scan_T1.nii.gz"
