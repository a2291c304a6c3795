"""Reading labelled items: a folder per class, or a table; of volumes, their slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from trainer.data import table, volumes
from trainer.data.items import SPLITS, Dataset, Labelled, LabelledItem, Named
from trainer.data.volumes import Contents
from trainer.tools.progress import Progress
from tumorviewer.errors import InputError

__all__ = ["SPLITS", "Dataset", "LabelledItem", "read_dataset"]


def read_dataset(
    source: Path,
    classes: Sequence[str] = (),
    slices: str = "refuse",
    progress: Progress | None = None,
    also: Sequence[Path] = (),
) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    source
        A folder with a folder per class; with ``Training`` and ``Testing`` (or train, val, test)
        and a folder per class in each; or a CSV
        ``path,label[,patient_id,split,source,slice,mask,box]`` whose paths are relative to its own
        folder. Below a class, a folder that holds DICOM files is one item.
    classes
        The classes to use; empty for all that are found, sorted by name.
    slices
        Which slices of a volume carry its label where no table states them: ``refuse``, ``all``
        or ``middle N``.
    also
        More of the same kind, whose items join under the names of their folders; the classes are
        those of all together.

    Raises
    ------
    InputError
        If it is none of these, an item is labelled with something else, or volumes are refused.
    """
    progress = progress or Progress("none")
    if also:
        named = _joined([_named(one, ()) for one in (source, *also)], tuple(classes))
    else:
        named = _named(source, tuple(classes))
    return _sliced(named, slices, progress).checked()


def _named(source: Path, classes: tuple[str, ...]) -> Named:
    if source.is_dir():
        return _read_folder(source.resolve(), classes)
    if source.is_file():
        return table.read_table(source.resolve(), classes)
    raise InputError(str(source), "There is no such folder or table.")


def _joined(parts: Sequence[Named], classes: tuple[str, ...]) -> Named:
    classes = classes or tuple(sorted({name for part in parts for name in part.classes}))
    labelled = [
        replace(one, item=_renamed(one.item, part, classes, is_first=part is parts[0]))
        for part in parts
        for one in part.labelled
        if part.classes[one.item.label] in classes
    ]
    return Named(parts[0].root, classes, tuple(labelled))


def _renamed(
    item: LabelledItem, part: Named, classes: tuple[str, ...], *, is_first: bool
) -> LabelledItem:
    """An item as it is called in a joined data set."""
    return replace(
        item,
        name=item.name if is_first else f"{part.root.name}/{item.name}",
        label=classes.index(part.classes[item.label]),
        source=item.source or part.root.name,
    )


def _sliced(named: Named, rule: str, progress: Progress) -> Dataset:
    """Look into what may be volumes, and make an item of each slice that carries a label."""
    contents = volumes.list_contents(
        list({one.item.path: None for one in named.labelled}), progress
    )
    items = [item for one in named.labelled for item in _slices(one, contents[one.item.path], rule)]
    if repeated := [name for name, n in Counter(item.name for item in items).items() if n > 1]:
        raise InputError(str(named.root), f"{repeated[0]} is listed more than once.")
    items.sort(key=lambda item: (item.file, item.slice or 0))
    return Dataset(named.root, named.classes, tuple(items), rule)


def _slices(one: Labelled, contents: Contents, rule: str) -> list[LabelledItem]:
    item = replace(one.item, patient=one.item.patient or contents.patient, series=contents.series)
    count, source = contents.slices, item.name
    if one.slices:
        chosen = volumes.parse_stated_slices(one.slices, source, count)
    elif count > 1:
        chosen = volumes.choose_slices_by_rule(rule, source, count)
    if count == 1:
        return [item]
    return [replace(item, name=f"{item.name}#{index + 1}", slice=index) for index in chosen]


def _folders(folder: Path) -> list[Path]:
    return sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def _units(folder: Path) -> Iterator[Path]:
    """Files below a class's folder, hidden ones left out; a folder of DICOM files is one."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from [entry] if volumes.is_series(entry) else _units(entry)
        elif not volumes.is_half_of_a_pair(entry):
            yield entry


def _read_folder(root: Path, classes: tuple[str, ...]) -> Named:
    inside = _folders(root)
    parts = [(SPLITS[one.name.lower()], one) for one in inside if one.name.lower() in SPLITS]
    if not parts:
        parts = [("", root)]
    found = {one.name for _, part in parts for one in _folders(part)}
    classes = classes or tuple(sorted(found))
    if missing := sorted(set(classes) - found):
        raise InputError(str(root), f"There is no folder for the class {', '.join(missing)}.")
    labelled = [
        Labelled(LabelledItem(path, path.relative_to(root).as_posix(), label, split=split))
        for split, part in parts
        for label, name in enumerate(classes)
        if (part / name).is_dir()
        for path in _units(part / name)
    ]
    return Named(root, classes, tuple(labelled))
