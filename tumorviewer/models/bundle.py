"""A model on disk: a folder of plain data with ``card.json`` and ``model.safetensors``. No torch.

Nothing in it is ever executed: no pickle is read, and a bundle that carries one is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from tumorviewer.errors import InputError
from tumorviewer.files import flush_to_disk
from tumorviewer.language import later, number, tr
from tumorviewer.models import schema
from tumorviewer.models.card import Graphs, ModelCard, Weights
from tumorviewer.models.trust_measures import Trust

if TYPE_CHECKING:
    from torch import Tensor

CARD = "card.json"
TRUST = "trust.safetensors"
"""Arrays of :mod:`tumorviewer.models.trust_measures`."""
TRAINING_ITEMS = "training-items.txt"
"""What the model was made from: a digest a line, sorted; see :func:`read_training_items`."""
PLAIN_DATA = frozenset(
    [
        *(".csv", ".jpeg", ".jpg", ".json", ".jsonl", ".md"),
        *(".onnx", ".pdf", ".png", ".safetensors", ".txt"),
    ]
)
PLAIN_NAMES = frozenset(["LICENCE", "LICENSE", "NOTICE", "README", "Thumbs.db", "desktop.ini"])
_CARD_LIMIT = 2**20
_FILES_LIMIT = 10_000
_ITEMS_LIMIT = 2**28
_GRAPH_LIMIT = 2**24
_ITEM = re.compile(r"[0-9a-f]{16}")
_AGAIN = later("Copy the bundle again from where it was made.")


def read_card(folder: Path) -> ModelCard:
    """Read ``card.json`` alone, without a look at the weights.

    Raises
    ------
    InputError
        If it is missing, too large, malformed, or of a newer version.
    """
    path = folder / CARD
    if not folder.is_dir():
        raise InputError(
            str(folder),
            tr("It is not a folder."),
            tr("Name the folder that holds {card}.", card=CARD),
        )
    if not path.is_file():
        raise InputError(
            str(folder), tr("There is no {card} in it.", card=CARD), tr("It is not a model bundle.")
        )
    try:
        if path.stat().st_size > _CARD_LIMIT:
            raise InputError(str(path), tr("It is too large for a model's card."), tr(_AGAIN))
        return schema.from_json(path.read_text("utf-8"))
    except OSError as error:
        raise _unreadable(path, error) from error
    except schema.NewerSchemaError as error:
        reason = tr("The model was made by a newer version of TumorViewer: {error}", error=error)
        raise InputError(str(path), reason, tr("Update TumorViewer.")) from error
    except ValueError as error:  # of bad UTF-8 and bad JSON too
        raise InputError(
            str(path), tr("The card is not valid: {error}", error=error), tr(_AGAIN)
        ) from error


def verify_bundle(folder: Path) -> ModelCard:
    """Read the card, and check everything that the weights can be checked for without torch.

    Raises
    ------
    InputError
        If anything but plain data is in the folder, or the weights are not those of the card.
    """
    card = read_card(folder)
    _check_files(folder)
    path = folder / card.weights.file
    try:
        _check_weights(path, card.weights)
        if card.trust and card.trust.sha256:
            _check_trust(folder / TRUST, card.trust.sha256)
        for name, sha256 in (card.graphs.sha256 if card.graphs else {}).items():
            _check_graph(graph_path(folder, name), sha256)
    except OSError as error:
        raise _unreadable(path, error) from error
    return card


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file, from its header.

    Raises
    ------
    InputError
        If the file is not of that format.
    """
    try:
        with safe_open(path, framework="np") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise InputError(
            str(path), tr("It is not a safetensors file ({error}).", error=error), tr(_AGAIN)
        ) from error


def item_digest(sha256: str) -> str:
    """A training item in :func:`read_training_items`: 64 bits of the SHA-256 of its file."""
    return sha256[:16]


def read_training_items(folder: Path) -> frozenset[str]:
    """What the training saw, validation part included: it chose the epoch and the temperature.

    Returns
    -------
    frozenset of str
        The :func:`item_digest` of each item's file, or of the slice and of its whole volume. Empty
        if the bundle does not say; nothing may then be concluded.

    Raises
    ------
    InputError
        If the list is damaged.
    """
    path = folder / TRAINING_ITEMS
    try:
        if not path.is_file():
            return frozenset()
        if path.stat().st_size > _ITEMS_LIMIT:
            raise InputError(
                str(path), tr("It is too large for a list of training items."), tr(_AGAIN)
            )
        items = frozenset(path.read_text("ascii").split())
    except UnicodeDecodeError as error:
        raise InputError(str(path), tr("It is not a list of digests."), tr(_AGAIN)) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if not all(map(_ITEM.fullmatch, items)):
        raise InputError(str(path), tr("It is not a list of digests."), tr(_AGAIN))
    return items


def write_bundle(
    folder: Path, card: ModelCard, tensors: Mapping[str, Tensor], items: Iterable[str] = ()
) -> ModelCard:
    """Write a bundle, complete or not at all; one that stands there is replaced.

    Parameters
    ----------
    folder
        The bundle's own folder.
    card
        Its ``weights`` are filled in here.
    tensors
        A state dict; each tensor keeps its dtype.
    items
        SHA-256 of what the training saw, for :func:`read_training_items`.

    Returns
    -------
    ModelCard
        As written.

    Raises
    ------
    ValueError
        If the card would not be read back.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    beside.mkdir()
    try:
        card = dataclasses.replace(card, weights=_write_weights(beside, tensors))
        text = schema.to_json(card)
        schema.from_json(text)
        (beside / CARD).write_text(text, "utf-8")
        if digests := sorted(set(map(item_digest, items))):
            (beside / TRAINING_ITEMS).write_text("\n".join(digests) + "\n", "ascii")
        for path in (*beside.iterdir(), beside):
            flush_to_disk(path)
        _replace(folder, beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return card


def graph_path(folder: Path, name: str) -> Path:
    """Where a bundle holds its graph of that name."""
    return folder / f"{name}.onnx"


def write_graphs(folder: Path, described: Graphs, graphs: Mapping[str, bytes]) -> ModelCard:
    """Put graphs into a bundle that stands there; those that it has go.

    Parameters
    ----------
    described
        Its ``sha256`` is filled in here.
    graphs
        Serialised ONNX models by name.

    Raises
    ------
    InputError
        If the bundle cannot be read.
    """
    card = read_card(folder)
    sha256 = {name: hashlib.sha256(graph).hexdigest() for name, graph in graphs.items()}
    card = dataclasses.replace(card, graphs=dataclasses.replace(described, sha256=sha256))
    with _changed_copy(folder) as beside:
        for path in beside.glob("*.onnx"):
            path.unlink()
        for name, graph in graphs.items():
            graph_path(beside, name).write_bytes(graph)
        (beside / CARD).write_text(schema.to_json(card), "utf-8")
    return card


@contextmanager
def _changed_copy(folder: Path) -> Iterator[Path]:
    """A copy of a bundle, which takes its place at the end."""
    beside = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    try:
        shutil.copytree(folder, beside)
        yield beside
        for path in (*(path for path in beside.iterdir() if path.is_file()), beside):
            flush_to_disk(path)
        _replace(folder, beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_trust(folder: Path, trust: Trust, arrays: Mapping[str, NDArray[np.generic]]) -> ModelCard:
    """Put measures of trust into a bundle that stands there; what was measured before goes.

    Parameters
    ----------
    arrays
        What :data:`TRUST` is to hold.

    Raises
    ------
    InputError
        If the bundle cannot be read.
    """
    from safetensors.numpy import save

    card = read_card(folder)
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    trust = dataclasses.replace(trust, sha256=hashlib.sha256(data).hexdigest())
    card = dataclasses.replace(card, trust=trust)
    with _changed_copy(folder) as beside:
        (beside / TRUST).write_bytes(data)
        (beside / CARD).write_text(schema.to_json(card), "utf-8")
    return card


def read_trust_arrays(folder: Path) -> dict[str, NDArray[np.generic]]:
    """What :data:`TRUST` holds; nothing if there is none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    from safetensors.numpy import load_file

    path = folder / TRUST
    try:
        return dict(load_file(path)) if path.is_file() else {}
    except SafetensorError as error:
        raise InputError(
            str(path), tr("It is not a safetensors file ({error}).", error=error), tr(_AGAIN)
        ) from error


def _write_weights(folder: Path, tensors: Mapping[str, Tensor]) -> Weights:
    from safetensors.torch import save

    own = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
    floats = {
        str(tensor.dtype).removeprefix("torch.")
        for tensor in own.values()
        if tensor.is_floating_point()
    }
    path = folder / Weights.file
    path.write_bytes(save(own))  # save_file would keep it from other users
    return Weights(_sha256(path), path.stat().st_size, dtype="/".join(sorted(floats)))


def _replace(folder: Path, beside: Path) -> None:
    old = beside.with_name(f"{beside.name}.old")
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    flush_to_disk(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _check_files(folder: Path) -> None:
    root = folder.resolve()
    for count, path in enumerate(_walk(folder)):
        if count >= _FILES_LIMIT:
            raise InputError(
                str(folder), tr("It holds too many files for a model bundle."), tr(_AGAIN)
            )
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise InputError(
                str(path), tr("It is a link that leads out of the bundle."), tr(_AGAIN)
            )
        if not path.is_file():
            raise InputError(str(path), tr("It is not an ordinary file."), tr("Remove it."))
        hidden = path.name.startswith(".") and not path.suffix
        if not hidden and path.suffix.lower() not in PLAIN_DATA and path.name not in PLAIN_NAMES:
            reason = tr("A model bundle may hold only plain data; this could be a program.")
            raise InputError(str(path), reason, tr("Remove it if you trust the rest."))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in (*files, *links))


def _check_weights(path: Path, weights: Weights) -> None:
    if not path.is_file():
        raise InputError(str(path), tr("The weights are missing."), tr(_AGAIN))
    if (size := path.stat().st_size) != weights.bytes:
        reason = tr(
            "The weights have {size} bytes; the card says {bytes}.",
            size=number(size, ","),
            bytes=number(weights.bytes, ","),
        )
        raise InputError(str(path), reason, tr(_AGAIN))
    if _sha256(path) != weights.sha256:
        reason = tr("The weights are not those of the card: the SHA-256 differs.")
        raise InputError(str(path), reason, tr(_AGAIN))
    read_shapes(path)


def _check_trust(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise InputError(str(path), tr("The model's measures of trust are missing."), tr(_AGAIN))
    if _sha256(path) != sha256:
        reason = tr("The model's measures of trust are not those of the card: the SHA-256 differs.")
        raise InputError(str(path), reason, tr(_AGAIN))
    read_shapes(path)


def _check_graph(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise InputError(str(path), tr("The model's graph is missing."), tr(_AGAIN))
    if path.stat().st_size > _GRAPH_LIMIT:
        raise InputError(str(path), tr("It is too large for a graph without weights."), tr(_AGAIN))
    if _sha256(path) != sha256:
        reason = tr("The model's graph is not that of the card: the SHA-256 differs.")
        raise InputError(str(path), reason, tr(_AGAIN))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        str(path),
        tr("It cannot be read: {error}.", error=error.strerror),
        tr("Check its permissions."),
    )
