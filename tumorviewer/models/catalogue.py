"""The models on this workstation: those that ship, and the user's own beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models import bundle, schema
from tumorviewer.models.card import ModelCard
from tumorviewer.resources import HOME_VARIABLE, home_path, resource_path

FINDER = "finder"
"""Name of the model that outlines."""
DEFAULT = "DEFAULT"
"""Plain file beside the bundles: one line, the name of the model that is used unasked."""
_PATIENCE_S = 60.0
"""How long to wait for another process that changes the models."""


@dataclass(frozen=True)
class CatalogueEntry:
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
        self._folders = folders or (home_path("models"), resource_path("models"))

    @property
    def own(self) -> Path:
        """The user's own folder, the only one that is ever changed."""
        return self._folders[0]

    def entries(self) -> tuple[CatalogueEntry, ...]:
        """Every bundle by name, the damaged ones too."""
        found: dict[str, CatalogueEntry] = {}
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
        if found := self.look_up(name):
            return found
        known = ", ".join(entry.name for entry in self.entries()) or "none"
        raise InputError(
            name, tr("There is no model of that name."), tr("Known are {known}.", known=known)
        )

    def look_up(self, name: str) -> Path | None:
        """The bundle of that name, if there is one."""
        if not schema.NAME.fullmatch(name):
            return None
        return next((root / name for root in self._folders if (root / name).is_dir()), None)

    @contextmanager
    def changing(self) -> Iterator[Path]:
        """The user's own folder, made if it is missing, for one process at a time to change.

        Raises
        ------
        InputError
            If it cannot be written to, now or while it is changed, or another process has it.
        """
        root = self.own
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / ".lock", timeout=_PATIENCE_S):
                yield root
        except Timeout as error:
            reason = tr("Another TumorViewer is changing the models.")
            raise InputError(
                str(root), reason, tr("Wait until it is done, and try again.")
            ) from error
        except OSError as error:
            reason = tr(
                "The models here cannot be changed: {error}.", error=error.strerror or error
            )
            remedy = tr(
                "Make room or ask for write permission; {variable} names another place.",
                variable=HOME_VARIABLE,
            )
            raise InputError(str(root), reason, remedy) from error

    def finder(self) -> Path | None:
        """The bundle that outlines tumours, if there is one."""
        return self.look_up(FINDER)

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
            tr("default model"), tr("None is chosen."), tr("Name one of `tumorviewer models list`.")
        )


def _subfolders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _entry(folder: Path) -> CatalogueEntry:
    try:
        card = bundle.read_card(folder)
        if card.name != folder.name:
            reason = tr("Its card names the model {name}.", name=card.name)
            remedy = tr("Rename the folder to {name}.", name=card.name)
            raise InputError(str(folder), reason, remedy)  # noqa: TRY301
    except InputError as problem:
        return CatalogueEntry(folder.name, folder, None, problem)
    return CatalogueEntry(folder.name, folder, card)
