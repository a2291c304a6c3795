"""The models on this workstation: those that ship, and the user's own beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tumorviewer.errors import InputError
from tumorviewer.models import bundle, schema
from tumorviewer.models.card import ModelCard
from tumorviewer.resources import home, resource

DEFAULT = "DEFAULT"
"""Plain file beside the bundles: one line, the name of the model that is used unasked."""


@dataclass(frozen=True)
class Entry:
    """A folder in the catalogue: its card, or why it has none."""

    name: str
    folder: Path
    card: ModelCard | None
    problem: InputError | None = None


class Catalogue:
    """Bundles by name; one of the user's own hides a shipped one of the same name.

    Parameters
    ----------
    folders
        Where to look, first come first served; by default the user's ``models`` folder, then
        ``resources/models``.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders or (home("models"), resource("models"))

    def entries(self) -> tuple[Entry, ...]:
        """Every bundle by name, the damaged ones too."""
        found: dict[str, Entry] = {}
        for root in self._folders:
            for folder in _subfolders(root):
                found.setdefault(folder.name, _entry(folder))
        return tuple(found[name] for name in sorted(found))

    def cards(self) -> tuple[ModelCard, ...]:
        """Cards of the bundles whose card can be read."""
        return tuple(entry.card for entry in self.entries() if entry.card)

    def folder(self, name: str) -> Path:
        """The bundle of that name.

        Raises
        ------
        InputError
            If there is none.
        """
        if schema.NAME.fullmatch(name):
            for root in self._folders:
                if (root / name).is_dir():
                    return root / name
        known = ", ".join(entry.name for entry in self.entries()) or "none"
        raise InputError(name, "There is no model of that name.", f"Known are: {known}.")

    def find(self, model: str | None) -> Path:
        """The bundle that a user means: a name, a path with a separator in it, or the default.

        Raises
        ------
        InputError
            If there is none.
        """
        if model is None:
            return self.folder(self.default())
        if model in (".", "..") or len(Path(model).parts) > 1:
            return Path(model)
        return self.folder(model)

    def default(self) -> str:
        """Name of the model that is used unasked.

        Raises
        ------
        InputError
            If none is chosen, or the chosen one is not there.
        """
        for root in self._folders:
            path = root / DEFAULT
            if path.is_file() and path.stat().st_size < 1000:
                name = path.read_text("utf-8", errors="replace").strip()
                self.folder(name)
                return name
        raise InputError(
            "default model", "None is chosen.", "Name one of `tumorviewer models list`."
        )


def _subfolders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _entry(folder: Path) -> Entry:
    try:
        card = bundle.read_card(folder)
        if card.name != folder.name:
            reason = f"Its card names the model {card.name}."
            raise InputError(str(folder), reason, f"Rename the folder to {card.name}.")  # noqa: TRY301
    except InputError as problem:
        return Entry(folder.name, folder, None, problem)
    return Entry(folder.name, folder, card)
