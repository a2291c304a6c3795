"""Where the weights come from: at random, or from a network that was trained before.

A start is a file (safetensors, or a state dict of torch, read as tensors alone), a folder with
files named as torchvision names them, torchvision's own cache, or a model of the catalogue. Nothing
is downloaded unless that is asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tumorviewer.errors import InputError
from tumorviewer.models import bundle
from tumorviewer.models.catalogue import Catalogue
from tumorviewer.networks import Classifier, Segmenter

TORCHVISION, CATALOGUE = "torchvision", "catalogue:"
_PICKLED = (".pt", ".pth")
_NAMES_OF_OLD = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)\."), r"\1\2."),
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)
"""torchvision's files keep names that its models no longer have."""
_COUNTER = "num_batches_tracked"
"""Of a batch normalisation; old files have none, and it is only counted."""


Startable = Classifier | Segmenter
"""Networks that say which of their tensors published weights fill."""


@dataclass(frozen=True)
class InitialWeights:
    """What a network started from, for its card."""

    source: str
    """``"file"``, ``"torchvision"`` or ``"catalogue"``."""
    name: str
    """Of the file, or name and version of the model; no folders."""
    sha256: str
    """Of the file."""
    licence: str
    """Empty where the file says none."""
    tensors: int
    """So many were taken over."""
    held_out_seen: float | None = None
    """Share of what the new model is judged on that this one was trained on; None: not known."""


def start_from_weights(
    network: Classifier, where: str, classes: Sequence[str] = (), *, fetch: bool = False
) -> InitialWeights:
    """Start a network from trained weights, in place.

    Parameters
    ----------
    classes
        Of the network: those that a model of the catalogue knows by the same name are told apart
        from the start as it tells them.
    where
        A file, a folder with torchvision's file names, ``"torchvision"`` for its cache on this
        machine, or ``"catalogue:NAME"``.
    fetch
        Whether torchvision's weights may be downloaded into its cache, with a progress bar.

    Raises
    ------
    InputError
        If there is no such start, it cannot be read, or it is of another architecture.
    """
    if where.startswith(CATALOGUE):
        return _from_catalogue(network, where.removeprefix(CATALOGUE), classes)
    path = Path(where)
    if where == TORCHVISION:
        path = _cached(network, fetch=fetch)
    elif path.is_dir():
        path = _in_folder(network, path)
    official = path.name in _urls(network)
    if official and not network.normalises_as_torchvision:
        reason = "These weights expect pictures as torchvision normalises them."
        raise InputError(path.name, reason, "Set [model] options = { imagenet = true }.")
    tensors = load_weights(network, path)
    licence = "BSD-3-Clause (torchvision), trained on ImageNet-1K" if official else ""
    return InitialWeights(
        TORCHVISION if official else "file", path.name, _sha256(path), licence, tensors
    )


def _from_catalogue(network: Classifier, name: str, classes: Sequence[str]) -> InitialWeights:
    folder = Catalogue().find(name)
    card = bundle.verify_bundle(folder)
    path = folder / card.weights.file
    rows = {
        ours: card.classes.index(each) for ours, each in enumerate(classes) if each in card.classes
    }
    untrained = {name: network.state_dict()[name].clone() for name in _classifying(network)}
    tensors = load_weights(network, path)
    stored = _read(path)
    for name, tensor in untrained.items():
        for ours, theirs in rows.items():
            tensor[ours] = stored[name][theirs]
    network.load_state_dict(untrained, strict=False)
    name = f"{card.name} {card.version}"
    return InitialWeights("catalogue", name, card.weights.sha256, card.licence, tensors)


def read_start_items(where: str) -> frozenset[str]:
    """What a model of the catalogue that is started from was trained on, as
    :func:`bundle.read_training_items` has it; empty for other starts, and where it does not say."""
    if not where.startswith(CATALOGUE):
        return frozenset()
    return bundle.read_training_items(Catalogue().find(where.removeprefix(CATALOGUE)))


def _urls(network: Classifier) -> dict[str, str]:
    """File names of the weights that torchvision publishes, and where; the best come first."""
    if not network.torchvision:
        return {}
    from torchvision import models  # takes seconds: for whoever starts from its weights

    offered = models.get_model_weights(network.torchvision)
    best_first = [offered.DEFAULT, *offered]
    return {one.url.rpartition("/")[2]: one.url for one in best_first}


def _cached(network: Classifier, *, fetch: bool) -> Path:
    folder, urls = Path(torch.hub.get_dir()) / "checkpoints", _urls(network)
    for name in urls:
        if (folder / name).is_file():
            return folder / name
    if not urls:
        reason = "torchvision publishes no weights for this architecture."
        raise InputError(TORCHVISION, reason, "Name a file, or a model as catalogue:NAME.")
    name = next(iter(urls))
    if not fetch:
        reason = f"{name} is not in its cache, and nothing is downloaded unasked."
        remedy = f"Add --fetch to download it, put it into {folder}, or name the folder it is in."
        raise InputError(TORCHVISION, reason, remedy)
    return _fetched(urls[name], folder / name)


def _fetched(url: str, path: Path) -> Path:
    """Download a file whose name ends in the beginning of its SHA-256."""
    beginning = path.stem.rpartition("-")[2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=beginning)
    except (OSError, RuntimeError) as error:
        reason = f"It could not be downloaded: {error}."
        raise InputError(url, reason, "Bring the file from another machine.") from error
    return path


def _in_folder(network: Classifier, folder: Path) -> Path:
    """The file with a name of torchvision's, or the one whose name begins with the model's."""
    for name in _urls(network):
        if (folder / name).is_file():
            return folder / name
    wanted = network.torchvision
    begins = re.compile(rf"{re.escape(wanted)}[-_.]")
    found = sorted(
        path
        for path in (folder.iterdir() if wanted else ())
        if path.suffix in (".safetensors", *_PICKLED) and begins.match(path.name)
    )
    if len(found) != 1:
        which = f"{len(found)} files" if found else "no file"
        reason = f"It holds {which} named {wanted or 'as this architecture'}-….safetensors or .pth."
        raise InputError(str(folder), reason, "Name the file.")
    return found[0]


def load_weights(network: Startable, path: Path) -> int:
    """Start what the family has pretrained (and the rest, where it fits) from a file, in place.

    Names in the file are ours or torchvision's.

    Returns
    -------
    int
        How many tensors were taken over.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold every tensor of that part.
    """
    wanted, stored = network.state_dict(), _read(path)
    missing: set[str] = set()
    for renamed, needed in _readings(network, stored):
        fitting = {
            name: renamed[name].to(tensor.dtype)
            for name, tensor in wanted.items()
            if name in renamed and renamed[name].shape == tensor.shape
        }
        missing = {name for name in needed - fitting.keys() if not name.endswith(_COUNTER)}
        if needed and not missing:
            network.load_state_dict(fitting, strict=False)
            return len(fitting)
    reason = "The weights are of another architecture"
    lacking = f": {min(missing)} is missing, or of another shape" if missing else ""
    raise InputError(str(path), f"{reason}{lacking}.")


def _readings(
    network: Startable, stored: Mapping[str, Tensor]
) -> Iterator[tuple[Mapping[str, Tensor], set[str]]]:
    """Tensors under our names, and which there must be; by torchvision's names, then by ours."""
    names, last = list(network.state_dict()), _classifying(network)
    published = network.published
    renamed = {
        published[name]: tensor
        for name, tensor in ((_today(name), tensor) for name, tensor in stored.items())
        if name in published
    }
    yield renamed, {name for name in published.values() if name not in last}
    yield stored, {name for name in names if name.startswith(network.pretrained)}


def _classifying(network: Startable) -> list[str]:
    """Tensors of the last layer, which have a row for each class."""
    names = list(network.state_dict())
    last = names[-1].rpartition(".")[0]
    return [name for name in names if name.rpartition(".")[0] == last]


def _today(name: str) -> str:
    for old, new in _NAMES_OF_OLD:
        name = old.sub(new, name)
    return name


def _read(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file; nothing in it is run."""
    try:
        stored = _unpickled(path) if path.suffix in _PICKLED else load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(str(path), f"The weights cannot be read: {error}.") from error
    if not isinstance(stored, dict) or not all(map(torch.is_tensor, stored.values())):
        raise InputError(str(path), "It holds no state dict.", "Save the state_dict alone.")
    return stored


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file raises anything
        reason = "It is damaged, or holds more than tensors: what could be a program is not read."
        raise InputError(str(path), reason, "Save its state_dict alone.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_folded_norms(network: nn.Module) -> bool:
    """Whether its batch normalisations were folded into the convolutions: only biases are left."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    identity = all(
        torch.all(layer.weight == 1)
        and torch.all(_buffer(layer.running_mean) == 0)
        and torch.all((_buffer(layer.running_var) - 1).abs() < 1e-3)
        for layer in norms
    )
    return bool(norms) and identity and any(bool(layer.bias.any()) for layer in norms)


@torch.no_grad()
def restore_norms(network: nn.Module, part: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give the folded batch normalisations of a part of the network the statistics of real
    pictures, in place.

    Each gets the mean m and variance v of what enters it, weight √(v + ε) and bias b + m: the
    function is unchanged, and training in train mode starts from it.
    """
    norms = [layer for layer in part.modules() if isinstance(layer, nn.BatchNorm2d)]
    sums: dict[nn.Module, tuple[float, Tensor, Tensor]] = {}

    def measure(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = inputs[0].double()
        count, total, squares = sums.get(layer, (0.0, torch.zeros(()), torch.zeros(())))
        n = x.numel() / x.shape[1]
        total, squares = total.to(x.device), squares.to(x.device)
        sums[layer] = count + n, total + x.sum((0, 2, 3)), squares + (x * x).sum((0, 2, 3))

    hooks = [layer.register_forward_pre_hook(measure) for layer in norms]
    network.eval()
    for batch in batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    for layer in norms:
        count, total, squares = sums[layer]
        mean = total / count
        variance = (squares / count - mean * mean).clamp_min(0)
        _buffer(layer.running_mean).copy_(mean)
        _buffer(layer.running_var).copy_(variance)
        layer.weight.copy_(torch.sqrt(variance + layer.eps))
        layer.bias.add_(mean)


def _buffer(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor
