"""Transfer learning with part of a network frozen: what is trained, and embeddings computed once.

Shapes: N pictures, S side, D embedding, K classes.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer.tools.progress import Progress
from trainer.training.augment import Augment, Augmentation
from trainer.training.image_store import ImageStore
from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.networks import Classifier

_BATCH = 64
_WHOLE = "classifier."


class Remainder(nn.Module):
    """What is left to train of a frozen network: from the embedding ``(N, D)`` to logits.

    Parameters
    ----------
    picture_1CSS
        Any, to find out what the embedding needs and what follows it.
    """

    def __init__(self, network: Classifier, picture_1CSS: Tensor) -> None:
        super().__init__()
        self.classifier = copy.deepcopy(network.eval(), {id(network.trunk): nn.Identity()})
        with torch.no_grad():
            embedding = network.embed(network.trunk(picture_1CSS))
        parameters = list(self.parameters())
        logits = self.classifier.classify(embedding).sum()
        gradients = torch.autograd.grad(logits, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)

    def trained(self) -> set[str]:
        """Names in the whole network of the tensors that are trained."""
        return {
            name.removeprefix(_WHOLE)
            for name, parameter in self.named_parameters()
            if parameter.requires_grad
        }

    def forward(self, embedding_ND: Tensor) -> Tensor:
        """Logits ``(N, K)``."""
        return self.classifier.classify(embedding_ND)

    @staticmethod
    def of_whole(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Trained tensors under the names that they have in the whole network."""
        return {name.removeprefix(_WHOLE): tensor for name, tensor in weights.items()}


def freeze_lower(network: Classifier) -> list[nn.Module]:
    """Let only ``network.upper`` be trained; answers the modules that stay in inference mode."""

    def is_upper(name: str) -> bool:
        return f"{name}.".startswith(network.upper)

    for name, parameter in network.named_parameters():
        parameter.requires_grad_(is_upper(name))
    return [one for name, one in network.named_modules() if name and not is_upper(name)]


@dataclass(frozen=True)
class Embeddings:
    """What the embeddings of a data set depend on."""

    network: Classifier
    trained: set[str]
    """Names of its tensors that the embeddings do not depend on."""
    pictures: NDArray[np.uint8]
    """``(N, S, S)`` or ``(N, C, S, S)``."""
    augmentation: Augmentation
    copies: int
    """Augmented ones of each picture, after the plain ones."""
    seed: int
    """Of that augmentation."""
    device: torch.device

    def cached(self, folder: Path, progress: Progress) -> NDArray[np.float32]:
        """``((copies + 1) · N, D)``, a memory map: the plain pictures', then each round's.

        Raises
        ------
        InputError
            If they cannot be written.
        """
        path = folder / f"{self._key()}.npy"
        if not path.is_file():
            try:
                with replace_atomically(path) as beside:
                    self._write(beside, progress)
            except OSError as error:
                reason = f"The cache cannot be written: {error.strerror or error}."
                raise InputError(str(folder), reason, "Make room or give --cache.") from error
        stored: NDArray[np.float32] = np.load(path, mmap_mode="r")
        return stored

    def _key(self) -> str:
        drawn = (asdict(self.augmentation), self.copies, self.seed) if self.copies else ()
        told = [type(self.network).__name__, self.device.type, self.pictures.shape, drawn]
        digest = hashlib.sha256(json.dumps(told).encode())
        digest.update(np.ascontiguousarray(self.pictures).data)
        for name, tensor in self.network.state_dict().items():
            if name not in self.trained:
                digest.update(f"\n{name}\n".encode() + tensor.cpu().numpy().tobytes())
        return f"embeddings-{digest.hexdigest()[:32]}"

    def _write(self, path: Path, progress: Progress) -> None:
        total = (self.copies + 1) * len(self.pictures)
        done = 0
        with path.open("wb") as stream:
            for part_ND in self._computed():
                if not done:
                    shape = (total, part_ND.shape[1])
                    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False}
                    write_array_header_1_0(stream, header | {"shape": shape})
                stream.write(part_ND.astype("<f4").tobytes())
                done += len(part_ND)
                progress("embedding", done, total)

    def _computed(self) -> Iterator[NDArray[np.float32]]:
        network = self.network.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        store = ImageStore(self.pictures, self.device)
        augment = Augment(self.augmentation, self.device)
        augment.seed(self.seed)
        rows = torch.arange(len(self.pictures)).split(_BATCH)
        for round_ in range(self.copies + 1):
            for pictures in store.batches(rows):
                with torch.inference_mode():
                    seen = augment(pictures) if round_ else pictures
                    yield network.embed(network.trunk(seen)).float().cpu().numpy()
