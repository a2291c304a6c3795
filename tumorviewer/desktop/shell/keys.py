"""Keys that the user chose: which are free, whose they are, and which are fixed."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from tumorviewer.desktop.shell.actions import TABLE, Actions
from tumorviewer.language import later, tr

Keys = dict[str, tuple[str, ...]]
_MODIFIERS = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
    Qt.Key.Key_unknown,
    Qt.Key.Key_CapsLock,
    Qt.Key.Key_NumLock,
)
_FIXED = {
    later("moves in images and lists"): "Up Down Left Right PgUp PgDown Home End",
    later("changes the window"): "Alt+Up Alt+Down Alt+Left Alt+Right",
    later("moves the image"): "Shift+Up Shift+Down Shift+Left Shift+Right",
    later("zooms"): "Ctrl++ Ctrl+= Ctrl+- Ctrl+0",
    later("goes to the next part of the window"): "Tab Shift+Tab",
    later("presses what has the focus"): "Return Enter Space",
    later("cancels and closes"): "Esc",
}
FIXED = {key: what for what, keys in _FIXED.items() for key in keys.split()}
"""Keys that no action may be given, and what they do; some actions come with one."""


def describe_pressed_key(event: QKeyEvent) -> str:
    """The key of an event as the table writes it, ``"Ctrl+R"``; empty for a modifier alone."""
    key = Qt.Key(event.key())
    if key in _MODIFIERS:
        return ""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if event.text().isprintable() and event.text().strip() and not event.text().isalpha():
        held &= ~Qt.KeyboardModifier.ShiftModifier  # "?" needs it on some keyboards only
    return _portable(QKeySequence(QKeyCombination(held, key)))


def find_key_owner(actions: Actions, name: str, key: str) -> str:
    """Name of another action that has a key; empty if none has it."""
    owners = (entry.name for entry in TABLE if key in actions.keys(entry.name))
    return next((owner for owner in owners if owner != name), "")


def is_fixed(name: str, key: str) -> bool:
    """Whether an action may not be given a key because it has a fixed meaning."""
    return key in FIXED and key not in _defaults(name)


def find_changed_keys(actions: Actions) -> Keys:
    """The keys of the actions that have others than they come with."""
    current = {entry.name: actions.keys(entry.name) for entry in TABLE}
    return {name: keys for name, keys in current.items() if keys != _defaults(name)}


def assign_keys(actions: Actions, chosen: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Give actions the keys that a file says.

    Returns
    -------
    tuple of str
        Why some were refused; those actions keep the keys that they come with.
    """
    defaults = {entry.name: entry.keys for entry in TABLE}
    problems = [
        tr("There is no action “{name}” to give keys to.", name=name)
        for name in chosen.keys() - defaults
    ]
    wanted: Keys = {}
    for name in chosen.keys() & defaults:
        keys = tuple(_portable(QKeySequence(key)) for key in chosen[name])
        if problem := _problem(name, keys):
            problems.append(problem)
        else:
            wanted[name] = keys
    while clash := _clash(wanted, defaults | wanted):
        key, name, owner = clash
        problems.append(
            tr(
                "{key} is the key of “{owner}”, not of “{name}” too.",
                key=key,
                owner=_title(owner),
                name=_title(name),
            )
        )
        del wanted[name]
    for name, keys in (defaults | wanted).items():
        actions.set_keys(name, keys)
    return tuple(sorted(problems))


def restore_keys(actions: Actions) -> None:
    """Give every action the keys that it comes with."""
    assign_keys(actions, {})


def _clash(wanted: Keys, everyone: Keys) -> tuple[str, str, str] | None:
    """A key, an action that wants it and another that has it."""
    for name in sorted(wanted):
        for owner, keys in everyone.items():
            if owner != name and (common := set(keys) & set(wanted[name])):
                return min(common), name, owner
    return None


def _problem(name: str, keys: tuple[str, ...]) -> str:
    for key in keys:
        if not key:
            return tr("The keys of “{title}” are not understood.", title=_title(name))
        if is_fixed(name, key):
            return tr(
                "{key} cannot be the key of “{title}”: it {does}.",
                key=key,
                title=_title(name),
                does=tr(FIXED[key]),
            )
    return ""


def _title(name: str) -> str:
    return next(entry.title for entry in TABLE if entry.name == name)


def _defaults(name: str) -> tuple[str, ...]:
    return next(entry.keys for entry in TABLE if entry.name == name)


def _portable(key: QKeySequence) -> str:
    return key.toString(QKeySequence.SequenceFormat.PortableText)
