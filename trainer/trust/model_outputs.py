"""A trained model's answers to its whole data set: what every measure of trust is made from.

Shapes: N items, S side, D embedding, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.data import split
from trainer.data.material import PreparedData
from trainer.data.split import Split
from trainer.runs.config import Config
from trainer.tools.progress import Progress
from tumorviewer.analysis import predict
from tumorviewer.analysis.engines.batches import Batches
from tumorviewer.analysis.predict import TorchModel
from tumorviewer.errors import InputError

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """What a model says of each item of the data that it was trained and judged on."""

    model: TorchModel
    folder: Path
    """The bundle's."""
    material: PreparedData
    split: Split
    logits: NDArray[np.float64]
    """``(N, K)``, before the temperature; NaN where nobody asked."""
    embeddings: NDArray[np.float32]
    """``(N, D)``; NaN where nobody asked."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """``(N,)``."""
        return self.material.dataset.labels()

    @property
    def groups(self) -> NDArray[np.int64]:
        """``(N,)``: patients or near-duplicates."""
        return self.material.groups

    @property
    def held(self) -> NDArray[np.int64]:
        """Rows that the model did not learn from."""
        return self.split.judged


def collect_outputs(
    folder: Path, material: PreparedData, config: Config, device: str, progress: Progress
) -> ModelOutputs:
    """Ask a run's model about its data.

    Parameters
    ----------
    folder
        The bundle that the run ended in.

    Raises
    ------
    InputError
        If nothing was held out.
    """
    parts = split.choose_parts(material.dataset, material.groups, config.split)
    if not len(parts.judged):
        reason = "The run held nothing out that could be judged by."
        raise InputError(str(folder), reason, 'Train with validation = "fold 0".')
    model = predict.load_model(folder, device)
    rows = np.sort(np.concatenate([parts.train, parts.judged]))
    logits_NK, embeddings_ND = predict_rows(model, material.pictures.array, rows, progress)
    return ModelOutputs(model, folder, material, parts, logits_NK, embeddings_ND)


def predict_rows(
    model: TorchModel, pictures_NSS: NDArray[np.uint8], rows: NDArray[np.int64], progress: Progress
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Logits ``(N, K)`` and embeddings ``(N, D)`` of some rows; NaN in the others."""
    logits, embeddings = [], []
    batches = Batches(model)

    def ask(part: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            maps = model.network.trunk(model.tensor(pictures_NSS[part]))
            embedding = model.network.embed(maps)
            return model.network.classify(embedding).cpu(), embedding.float().cpu()

    for part, (given, embedded) in batches.run(rows.tolist(), ask):
        logits.append(given.double().numpy())
        embeddings.append(embedded.numpy())
        progress("asking the model", int(np.searchsorted(rows, part[-1])) + 1, len(rows))
    return _scattered(logits, rows, len(pictures_NSS)), _scattered(
        embeddings, rows, len(pictures_NSS)
    )


def _scattered(parts: list[NDArray[_T]], rows: NDArray[np.int64], count: int) -> NDArray[_T]:
    found = np.concatenate(parts)
    whole = np.full((count, found.shape[1]), np.nan, found.dtype)
    whole[rows] = found
    return whole
