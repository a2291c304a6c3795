"""Everything that can be done, in one table: menus, tool bar, keys and the sheet of keys."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QMainWindow,
    QMenu,
    QToolBar,
    QWidget,
)

from tumorviewer.desktop.widgets import theme
from tumorviewer.language import later, tr


@dataclass(frozen=True)
class Entry:
    """One thing that can be done."""

    name: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    """In the tool bar if it has one."""
    short: str = ""
    """Its text in the tool bar."""
    group: str = ""
    """Entries of one group exclude each other."""
    checkable: bool = False
    starts_section: bool = False
    needs: str = ""
    """What must be there, of :data:`NEEDS`."""

    @property
    def title(self) -> str:
        """Its text where no more questions follow."""
        return tr(self.text).rstrip("…")

    @property
    def top_menu(self) -> str:
        """The menu of the menu bar that it is in, itself or in a menu of that."""
        return self.menu.partition(SUBMENU)[0]


NEEDS = {
    "study": later("No study is open."),
    "series": later("No series is shown."),
    "answer": later("There is no answer of the model yet."),
    "candidate": later("Nothing is outlined in this study."),
    "unexplained": later("Only a judged slice that has no map yet can be explained."),
}
"""What an entry may need, and what is said while it is not there."""
SUBMENU = " ▸ "
"""Between the names of a menu and of one in it."""
MENUS = ("File", "View", "Go to", "Marks", "Assessment", "Help")
TABLE = (
    Entry("open_files", "File", "Open files…", ("Ctrl+O",), "open", later("Files")),
    Entry("open_folder", "File", "Open folder…", ("Ctrl+Shift+O",), "folder", later("Folder")),
    Entry("fetch", "File", "Fetch from an archive…", ("Ctrl+Shift+F",)),
    Entry("open_demonstration", "File", "Open the demonstration study", ("Ctrl+D",)),
    Entry("close_study", "File", "Close study", ("Ctrl+W",), starts_section=True,
          needs="study"),
    Entry("close_all", "File", "Close all studies", ("Ctrl+Shift+W",), needs="study"),
    Entry("report", "File", "Report…", ("Ctrl+P",), starts_section=True, needs="series"),
    Entry("outbox", "File", "Outbox…", ("Ctrl+Shift+B",)),
    Entry("archives", "File", "Archives…"),
    Entry("send_to_training", "File", "Send read studies to training…", ("Ctrl+Shift+T",),
          starts_section=True),
    Entry("settings", "File", "Settings…", ("Ctrl+Alt+S",), starts_section=True),
    Entry("quit", "File", "Quit", ("Ctrl+Q",), starts_section=True),
    Entry(
        "side_by_side", "View ▸ Layout", "Image and map side by side", ("1",),
        "side_by_side", later("Side by side"), group="mode", starts_section=True, needs="series",
    ),
    Entry("blended", "View ▸ Layout", "Map blended over the image", ("2",),
          "blended", later("Blended"), group="mode", needs="series"),
    Entry("image_only", "View ▸ Layout", "Image alone", ("3",),
          "image_only", later("Image"), group="mode", needs="series"),
    Entry("planes", "View ▸ Layout", "Three planes and map", ("4",), group="mode", needs="series"),
    Entry("straight_planes", "View ▸ Layout", "Planes along the patient, and map", ("0",),
          group="mode", needs="series"),
    Entry("current_prior", "View ▸ Layout", "Current and prior", ("5",), group="mode",
          needs="series"),
    Entry("grid_1x2", "View ▸ Layout", "Two series", ("6",), group="mode", needs="series"),
    Entry("grid_2x2", "View ▸ Layout", "2 × 2 series", ("7",), group="mode", needs="series"),
    Entry("grid_2x3", "View ▸ Layout", "2 × 3 series", ("8",), group="mode", needs="series"),
    Entry("fuse", "View ▸ Layout", "Next series laid over this one", ("S",), checkable=True,
          needs="series"),
    Entry("crosshair", "View", "Show the crosshair", ("Shift+C",), checkable=True,
          starts_section=True, needs="series"),
    Entry("aim", "View", "Crosshair to the pointer", ("C",), needs="series"),
    Entry("link", "View", "Link views by position", ("L",), checkable=True, needs="series"),
    Entry("tie", "View", "Link with other frames of reference here, or part",
          ("Shift+L",), needs="series"),
    Entry("fit", "View", "Fit the image", ("F",), starts_section=True, needs="series"),
    Entry("one_to_one", "View", "One image pixel on one screen pixel", ("Z",), needs="series"),
    Entry("magnify", "View", "Magnifier at the pointer", ("Shift+Z",), checkable=True,
          needs="series"),
    Entry("smooth", "View", "Interpolate between pixels", ("Shift+I",), checkable=True,
          needs="series"),
    Entry("invert", "View", "Invert black and white", ("I",), needs="series"),
    Entry("turn_right", "View ▸ Turn", "Turn right", ("U",), starts_section=True, needs="series"),
    Entry("turn_left", "View ▸ Turn", "Turn left", ("Shift+U",), needs="series"),
    Entry("mirror", "View ▸ Turn", "Mirror left and right", ("H",), needs="series"),
    Entry("flip", "View ▸ Turn", "Flip top and bottom", ("Shift+H",), needs="series"),
    Entry("upright", "View ▸ Turn", "Neither turned nor mirrored", ("Ctrl+H",), needs="series"),
    Entry("thicker_slab", "View ▸ Slab and cine", "Maximum over a thicker slab", ("J",),
          starts_section=True, needs="series"),
    Entry("thinner_slab", "View ▸ Slab and cine", "Maximum over a thinner slab", ("Shift+J",),
          needs="series"),
    Entry("cine", "View ▸ Slab and cine", "Cine", ("Space",), checkable=True, starts_section=True,
          needs="series"),
    Entry("faster_cine", "View ▸ Slab and cine", "Cine faster", ("Ctrl+.",), needs="series"),
    Entry("slower_cine", "View ▸ Slab and cine", "Cine slower", ("Ctrl+,",), needs="series"),
    Entry("toggle_map", "View ▸ Map", "Show the map", ("M",), "map", later("Map"),
          checkable=True, starts_section=True, needs="series"),
    Entry("more_opaque", "View ▸ Map", "Map more opaque", ("+", "="), needs="series"),
    Entry("less_opaque", "View ▸ Map", "Map less opaque", ("-",), needs="series"),
    Entry("outlines", "View", "Show the outlines", ("Shift+O",), checkable=True, needs="series"),
    Entry("next_window", "View", "Next window preset", ("W",), starts_section=True,
          needs="series"),
    Entry("reset_view", "View", "Reset window, zoom and pan", ("R",), "reset", later("Reset"),
          needs="series"),
    Entry("hide_patient", "View", "Hide patient text", ("P",), "patient", later("Hide patient"),
          checkable=True, starts_section=True),
    Entry("full_screen", "View", "Full screen", ("F11",), checkable=True),
    Entry("system", "View ▸ Colours", "Colours as the system has them", group="scheme",
          starts_section=True),
    Entry("dark", "View ▸ Colours", "Dark colours", group="scheme"),
    Entry("light", "View ▸ Colours", "Light colours", group="scheme"),
    Entry("high_contrast", "View ▸ Colours", "High-contrast colours", group="scheme"),
    Entry("worklist", "Go to", "Worklist", ("Ctrl+L",), "worklist", later("Worklist")),
    Entry("training", "Go to", "Training", ("Ctrl+T",)),
    Entry("site", "Go to", "This site", ("Ctrl+I",)),
    Entry("next_tab", "Go to", "Next open study", ("Ctrl+Tab",)),
    Entry("previous_tab", "Go to", "Previous open study", ("Ctrl+Shift+Tab",)),
    Entry("previous_slice", "Go to", "Previous slice", (",",), needs="series", starts_section=True),
    Entry("next_slice", "Go to", "Next slice", (".",), needs="series"),
    Entry("first_slice", "Go to", "First slice", ("Ctrl+Home",), needs="series"),
    Entry("last_slice", "Go to", "Last slice", ("Ctrl+End",), needs="series"),
    Entry("next_key_slice", "Go to", "Next deciding slice", ("K",), starts_section=True,
          needs="answer"),
    Entry("next_candidate", "Go to", "Next candidate", ("Shift+K",), needs="candidate"),
    Entry("previous_volume", "Go to", "Previous volume of the series", ("[",), needs="series",
          starts_section=True),
    Entry("next_volume", "Go to", "Next volume of the series", ("]",), needs="series"),
    Entry("previous_series", "Go to", "Previous series", ("Ctrl+Up",), needs="series"),
    Entry("next_series", "Go to", "Next series", ("Ctrl+Down",), needs="series"),
    Entry("mark_distance", "Marks", "Measure a distance", ("D",), needs="series"),
    Entry("mark_diameters", "Marks", "Measure two perpendicular diameters", ("B",), needs="series"),
    Entry("mark_angle", "Marks", "Measure an angle", ("A",), needs="series"),
    Entry("mark_ellipse", "Marks", "Measure in an ellipse", ("O",), needs="series"),
    Entry("mark_rectangle", "Marks", "Measure in a rectangle", ("Q",), needs="series"),
    Entry("mark_freehand", "Marks", "Measure in a freehand outline", ("G",), needs="series"),
    Entry("mark_point", "Marks", "Mark a point", ("X",), needs="series"),
    Entry("mark_text", "Marks", "Write a text", ("T",), needs="series"),
    Entry("undo", "Marks", "Undo", ("Ctrl+Z",), starts_section=True, needs="series"),
    Entry("redo", "Marks", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), needs="series"),
    Entry("delete_mark", "Marks", "Delete the selected mark", ("Del",), needs="series"),
    Entry("edit_mark", "Marks", "Change the text of the selected mark", ("Shift+T",),
          needs="series"),
    Entry("move_mark", "Marks", "Move the selected mark by the arrow keys", ("Y",), needs="series"),
    Entry("next_mark", "Marks", "Next mark", ("N",), starts_section=True, needs="series"),
    Entry("previous_mark", "Marks", "Previous mark", ("Shift+N",), needs="series"),
    Entry("copy_marks", "Marks", "Copy the marks as text", ("Ctrl+C",), starts_section=True,
          needs="series"),
    Entry("copy_picture", "Marks", "Copy the view as a picture", ("Ctrl+Shift+C",), needs="series"),
    Entry("analyse", "Assessment", "Analyse the shown series again", ("Ctrl+R", "F5"),
          needs="series"),
    Entry("explain_slice", "Assessment", "Explain this slice", ("E",), needs="unexplained"),
    Entry("cancel", "Assessment", "Cancel what is running", ("Esc",)),
    Entry("write_verdict", "Assessment", "Write your verdict", ("V",), starts_section=True,
          needs="study"),
    Entry("verdict_first", "Assessment", "Ask for my verdict before the answer is shown",
          checkable=True),
    Entry("model_card", "Assessment", "About the model…", starts_section=True),
    Entry("restart_worker", "Assessment", "Restart the analysis process", starts_section=True),
    Entry("self_test", "Assessment", "Device and self-test…"),
    Entry("palette", "Help", "Commands…", ("Ctrl+Shift+P", "F2")),
    Entry("shortcuts", "Help", "Keyboard shortcuts…", ("F1", "?")),
    Entry("about", "Help", "About TumorViewer…", starts_section=True),
)  # fmt: skip
_PRESS, _PRESSED = "Space", (QAbstractButton, QAbstractItemView, QComboBox)
_BY_NAME = {entry.name: entry for entry in TABLE}


class Actions(QObject):
    """The table as Qt has it; ``actions["open_files"]`` is a QAction."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._actions: dict[str, QAction] = {}
        self._keys: dict[str, tuple[str, ...]] = {}
        groups: dict[str, QActionGroup] = {}
        for entry in TABLE:
            action = self._make(entry, window)
            if entry.needs:
                action.setEnabled(False)
            if entry.group:
                group = groups.setdefault(entry.group, QActionGroup(self))
                group.addAction(action)

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def _make(self, entry: Entry, window: QMainWindow) -> QAction:
        action = QAction(tr(entry.text), self)
        action.setObjectName(entry.name)
        action.setCheckable(entry.checkable or bool(entry.group))
        action.setIconText(tr(entry.short or entry.text))
        window.addAction(action)
        self._actions[entry.name] = action
        self.set_keys(entry.name, entry.keys)
        return action

    def provide(self, what: str, is_there: bool) -> None:
        """Say whether something of :data:`NEEDS` is there; what needs it can be done then."""
        for entry in TABLE:
            if entry.needs == what:
                self._actions[entry.name].setEnabled(is_there)

    def why_not(self, name: str) -> str:
        """Why something cannot be done now; empty if it can."""
        if self._actions[name].isEnabled():
            return ""
        return tr(NEEDS.get(_BY_NAME[name].needs, later("It cannot be done now.")))

    def keys_text(self, name: str) -> str:
        """The keys of an action as this system writes them."""
        native = QKeySequence.SequenceFormat.NativeText
        return tr(" or ").join(QKeySequence(key).toString(native) for key in self._keys[name])

    def keys(self, name: str) -> tuple[str, ...]:
        """The keys of an action as the table writes them."""
        return self._keys[name]

    def set_keys(self, name: str, keys: tuple[str, ...]) -> None:
        """Give an action these keys and no others."""
        self._keys[name] = keys
        action, text = self._actions[name], self.keys_text(name)
        action.setShortcuts([QKeySequence(key) for key in keys])
        title = tr(_BY_NAME[name].text)
        action.setToolTip(f"{title} ({text})" if text else title)

    def follow_focus(self, _old: QWidget | None, focus: QWidget | None) -> None:
        """Leave the key that presses a widget to the one that has the focus."""
        taken = _PRESS if isinstance(focus, _PRESSED) else ""
        for name, keys in self._keys.items():
            if _PRESS in keys:
                left = [QKeySequence(key) for key in keys if key != taken]
                self._actions[name].setShortcuts(left)

    def fill_menus(self, window: QMainWindow) -> dict[str, QMenu]:
        """Put the menus into the window's menu bar; each by its name in the table."""
        menus = {name: window.menuBar().addMenu(tr(name)) for name in MENUS}
        for entry in TABLE:
            is_first = entry.menu not in menus
            if entry.starts_section:
                menus[entry.top_menu if is_first else entry.menu].addSeparator()
            if is_first:
                title = tr(entry.menu).partition(SUBMENU)[2]
                menus[entry.menu] = menus[entry.top_menu].addMenu(title)
            menus[entry.menu].addAction(self._actions[entry.name])
        return menus

    def tool_bar(self) -> QToolBar:
        """A bar of the entries that have an icon, a gap between menus."""
        bar = QToolBar(tr("Tools"))
        bar.setObjectName("tools")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        menu = MENUS[0]
        for entry in TABLE:
            if not entry.icon:
                continue
            if entry.starts_section or entry.top_menu != menu:
                bar.addSeparator()
            menu = entry.top_menu
            bar.addAction(self._actions[entry.name])
            bar.widgetForAction(self._actions[entry.name]).setAccessibleName(tr(entry.text))
        self.draw_icons()
        return bar

    def draw_icons(self) -> None:
        """Draw the icons in the colours that the window has now."""
        for entry in TABLE:
            if entry.icon:
                self._actions[entry.name].setIcon(theme.make_icon(entry.icon))
                self._actions[entry.name].setIconVisibleInMenu(False)
