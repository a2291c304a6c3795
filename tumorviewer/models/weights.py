"""A bundle to a network that is ready to answer; the one module of this room that needs torch."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from tumorviewer import networks
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.models import bundle
from tumorviewer.models.card import ModelCard
from tumorviewer.networks import Classifier
from tumorviewer.networks.segmenter import create_segmenter

_MISMATCH = later("The card and the weights do not belong together; copy the bundle again.")


def load_weights(folder: Path) -> tuple[ModelCard, Classifier]:
    """Verify a bundle and build its network, in evaluation mode on the CPU, in float32.

    The network is laid out without memory first, so that a card that asks for more than its file
    holds is refused before anything is allocated.

    Raises
    ------
    InputError
        If the bundle is refused, or its weights do not fit its architecture.
    """
    card = bundle.verify_bundle(folder)
    if card.segmentation is not None:
        raise InputError(card.name, tr("This model outlines tumours; it does not name images."))
    network = _lay_out(folder, card)
    _check_pictures(folder, card, network)
    path = folder / card.weights.file
    _check_shapes(path, network)
    tensors = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in load_file(path).items()
    }
    network.load_state_dict(tensors, assign=True)
    return card, network.eval()


def check_weights(folder: Path) -> ModelCard:
    """Verify a bundle, of a network that names or that outlines, and that its weights fit.

    Raises
    ------
    InputError
        If the bundle is refused, or its weights do not fit its architecture.
    """
    card = bundle.verify_bundle(folder)
    if card.segmentation is None:
        return load_weights(folder)[0]
    architecture = card.architecture
    try:
        with torch.device("meta"):
            network = create_segmenter(architecture.name, len(card.classes), **architecture.options)
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        raise _cannot_build(folder, error) from error
    _check_shapes(folder / card.weights.file, network)
    return card


def _cannot_build(folder: Path, error: Exception) -> InputError:
    reason = tr("Its architecture cannot be built: {error}.", error=error)
    return InputError(str(folder), reason, tr("A newer TumorViewer may know it."))


def _lay_out(folder: Path, card: ModelCard) -> Classifier:
    architecture = card.architecture
    try:
        with torch.device("meta"):
            return networks.create_network(
                architecture.name, len(card.classes), **architecture.options
            )
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
        raise _cannot_build(folder, error) from error


def _check_pictures(folder: Path, card: ModelCard, network: Classifier) -> None:
    seen = card.preprocessing
    if objection := network.objection(seen.size, seen.neighbours):
        raise InputError(str(folder), objection, tr(_MISMATCH))


def _check_shapes(path: Path, network: nn.Module) -> None:
    stored = bundle.read_shapes(path)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name, shape in wanted.items():
        if name not in stored:
            raise InputError(
                str(path), tr("The tensor {name} is missing.", name=name), tr(_MISMATCH)
            )
        if stored[name] != shape:
            reason = tr(
                "The tensor {name} is {found}, not {wanted}.",
                name=name,
                found=_words(stored[name]),
                wanted=_words(shape),
            )
            raise InputError(str(path), reason, tr(_MISMATCH))
    if extra := sorted(set(stored) - set(wanted)):
        raise InputError(
            str(path),
            tr("The tensor {name} is not part of the network.", name=extra[0]),
            tr(_MISMATCH),
        )


def _words(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or tr("a single number")
