"""Models in and out of the catalogue: a bundle's folder, or a zip archive of one."""

from __future__ import annotations

import dataclasses
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tumorviewer import archives
from tumorviewer.errors import InputError
from tumorviewer.files import flush_to_disk, replace_atomically
from tumorviewer.language import tr
from tumorviewer.models import bundle, schema
from tumorviewer.models.card import ModelCard
from tumorviewer.models.catalogue import Catalogue

_STAGING = ".incoming"
_SAME_TIME = (1980, 1, 1, 0, 0, 0)
"""The oldest that a zip archive can tell: equal models make equal archives."""


def import_bundle(
    source: Path,
    catalogue: Catalogue,
    name: str = "",
    check: Callable[[Path], ModelCard] = bundle.verify_bundle,
) -> tuple[ModelCard, bool]:
    """Copy a bundle into the user's own models, wholly or not at all.

    No model is replaced, neither a shipped one nor one of the user's: the default goes by its
    name, and only a promotion may exchange it.

    Parameters
    ----------
    source
        The bundle's folder, or a zip archive with one bundle in it.
    name
        To take in the place of the card's own.
    check
        What must pass on the copy; :func:`tumorviewer.models.weights.load_weights` builds the
        network too.

    Returns
    -------
    tuple
        The card, and whether the model is new: False if the very same was there.

    Raises
    ------
    InputError
        If the bundle is refused, its name is taken, or the user's folder cannot be changed.
    """
    with catalogue.changing() as root, _staging(root / _STAGING) as staging:
        folder = _unpack(source, staging) if source.is_file() else _copy(source, staging / "bundle")
        card = _checked(check, folder, source)
        if name:
            card = dataclasses.replace(card, name=name)
            _rewrite(folder, card)
        known = catalogue.look_up(card.name)
        if known is None:
            _flush_all(folder)
            folder.rename(root / card.name)
            flush_to_disk(root)
        elif not _is_same(known, card):
            reason = tr("There is another model of the name {name}.", name=card.name)
            raise InputError(str(source), reason, tr("Import it under another name with --as."))
        return card, known is None


def export_bundle(folder: Path, out: Path) -> ModelCard:
    """Copy a bundle out, byte for byte the same each time.

    Parameters
    ----------
    out
        A zip archive if it is called ``.zip``, else a new folder; nothing is replaced.

    Raises
    ------
    InputError
        If the bundle is refused, or ``out`` is there already or cannot be written.
    """
    card = bundle.verify_bundle(folder)
    if out.exists():
        raise InputError(
            str(out), tr("It is there already."), tr("Name a new folder or .zip file.")
        )
    try:
        if out.suffix.lower() == ".zip":
            with replace_atomically(out) as beside:
                _pack(folder, card.name, beside)
        else:
            out.parent.mkdir(parents=True, exist_ok=True)
            with _staging(out.with_name(f".{uuid.uuid4().hex}")) as staging:
                _flush_all(_copy(folder, staging / out.name)).rename(out)
                flush_to_disk(out.parent)
    except OSError as error:
        reason = tr("It cannot be written: {error}.", error=error.strerror or error)
        raise InputError(str(out), reason, tr("Make room or choose another folder.")) from error
    return card


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, whatever an earlier process left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _contents(folder: Path) -> list[Path]:
    """A bundle's files, relative to it, without what operating systems leave behind."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in files
        if not any(part.startswith(".") or archives.is_junk(part) for part in path.parts)
    )


def _copy(folder: Path, target: Path) -> Path:
    bundle.verify_bundle(folder)
    for path in _contents(folder):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target / path)
    return target


def _unpack(archive: Path, staging: Path) -> Path:
    """Unpack an archive that must be wholly in order, and find the bundle in it."""
    if left_out := archives.unpack_archive(archive, str(archive), staging):
        raise left_out[0]
    inside = [staging, *(path for path in staging.iterdir() if path.is_dir())]
    bundles = [folder for folder in inside if (folder / bundle.CARD).is_file()]
    if len(bundles) != 1:
        several = tr("It holds {n} model bundles.", n=len(bundles))
        reason = several if bundles else tr("It holds no model bundles.")
        raise InputError(str(archive), reason, tr("Pack one bundle's folder alone."))
    return bundles[0]


def _pack(folder: Path, name: str, out: Path) -> None:
    with zipfile.ZipFile(out, "w") as archive:
        for path in _contents(folder):
            member = zipfile.ZipInfo(f"{name}/{path.as_posix()}", _SAME_TIME)
            member.create_system = 3  # Unix, wherever it is written
            member.external_attr = 0o100644 << 16
            member.file_size = (folder / path).stat().st_size
            with (folder / path).open("rb") as file, archive.open(member, "w") as packed:
                shutil.copyfileobj(file, packed, 1 << 20)


def _checked(check: Callable[[Path], ModelCard], folder: Path, source: Path) -> ModelCard:
    """The check of a copy, said of what was copied."""
    try:
        return check(folder)
    except InputError as error:
        where = error.source.replace(str(folder), str(source))
        raise InputError(where, error.reason, error.remedy) from error


def _rewrite(folder: Path, card: ModelCard) -> None:
    try:
        text = schema.to_json(card)
        schema.from_json(text)
    except ValueError as error:
        raise InputError(
            card.name, tr("It cannot be a model's name: {error}", error=error)
        ) from error
    (folder / bundle.CARD).write_text(text, "utf-8")


def _flush_all(folder: Path) -> Path:
    for path in (*folder.rglob("*"), folder):
        flush_to_disk(path)
    return folder


def _is_same(folder: Path, card: ModelCard) -> bool:
    """Whether that model stands there, in order."""
    try:
        return bundle.verify_bundle(folder) == card
    except InputError:
        return False
