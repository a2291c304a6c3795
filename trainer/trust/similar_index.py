"""The index of training items that answers are compared with, and how well it retrieves.

Items are known by the digest of their files and by their data set; patients are not in it, and
pictures only where the licence of the data lets them be shipped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA  # type: ignore[import-untyped]

from trainer.data import volumes
from trainer.trust import intervals
from trainer.trust.model_outputs import ModelOutputs
from tumorviewer.analysis.trust.similar_cases import MOST, SimilarCaseIndex, project_embeddings
from tumorviewer.models import bundle
from tumorviewer.models.trust_measures import SimilarityIndex

# Shape suffixes: N items, D embedding, P principal components, S side.

DIMENSIONS = 64
"""At most so many principal components are kept."""
SIDE = 64
"""Of a picture that is shipped, pixels."""
Arrays = dict[str, NDArray[np.generic]]


def build_similar_index(
    evidence: ModelOutputs, name: str, *, with_pictures: bool
) -> tuple[SimilarityIndex, Arrays]:
    """Make the index of what the model was trained on, and search it for what was held out.

    Parameters
    ----------
    name
        Of the data set, for items that say none of their own.
    with_pictures
        Whether small pictures go into it.

    Returns
    -------
    tuple
        What the card says of it, and its arrays under names that begin with ``similar.``.
    """
    rows = evidence.split.train
    sources = [item.source or name for item in evidence.material.dataset.items]
    known, of_source = np.unique([sources[row] for row in rows], return_inverse=True)
    arrays = _reduced(evidence.embeddings[rows]) | {
        "labels": evidence.labels[rows].astype(np.uint8),
        "sources": of_source.astype(np.uint16),
        "groups": np.unique(evidence.groups[rows], return_inverse=True)[1].astype(np.int32),
        "slices": np.array([_slice(evidence, row) for row in rows], np.int32),
        "digests": np.stack([_bytes(make_digest(evidence, row)) for row in rows]),
    }
    classes, names = evidence.material.dataset.classes, tuple(map(str, known))
    precisions = _precisions(evidence, SimilarCaseIndex(arrays, classes, names))
    whole = _precisions(evidence, SimilarCaseIndex(arrays | _whole(evidence, rows), classes, names))
    shares = np.bincount(evidence.labels[rows], minlength=len(classes)) / len(rows)
    described = SimilarityIndex(
        items=len(rows),
        sources=names,
        dimensions=arrays["embeddings"].shape[1],
        precision=intervals.average_with_interval(precisions, evidence.groups[evidence.held]),
        precision_whole=float(whole.mean()),
        chance=float(shares[evidence.labels[evidence.held]].mean()),
    )
    if with_pictures:
        arrays["pictures"] = make_small_images(evidence, rows)
    return described, {f"similar.{key}": array for key, array in arrays.items()}


def make_digest(evidence: ModelOutputs, row: int) -> str:
    """By which an item's file is found again: of a slice, that of its whole volume."""
    item = evidence.material.dataset.items[row]
    own = evidence.material.pictures.sha256[row]
    return bundle.item_digest(own if item.slice is None else volumes.hash_item(Path(item.path)))


def make_small_images(evidence: ModelOutputs, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """What the network saw of some items, ``(N, S, S)``."""
    return np.stack([_small(evidence.material.pictures.array[row]) for row in rows])


def _reduced(embeddings_ND: NDArray[np.float32]) -> Arrays:
    dimensions = min(DIMENSIONS, *embeddings_ND.shape)
    found = PCA(dimensions, svd_solver="full").fit(embeddings_ND.astype(np.float64))
    mean, components = found.mean_.astype(np.float32), found.components_.astype(np.float32)
    return {
        "mean": mean,
        "components": components,
        "embeddings": project_embeddings(embeddings_ND, mean, components).astype(np.float16),
    }


def _whole(evidence: ModelOutputs, rows: NDArray[np.int64]) -> Arrays:
    """In place of :func:`_reduced`: nothing is left out."""
    embeddings_ND = evidence.embeddings[rows]
    mean, components = embeddings_ND.mean(0), np.eye(embeddings_ND.shape[1], dtype=np.float32)
    unit = project_embeddings(embeddings_ND, mean, components)
    return {"mean": mean, "components": components, "embeddings": unit}


def _precisions(evidence: ModelOutputs, index: SimilarCaseIndex) -> NDArray[np.float64]:
    """Share of those found that have the class of each held-out item, ``(N,)``."""
    classes = evidence.material.dataset.classes
    return np.array(
        [
            np.mean(
                [
                    case.label == classes[evidence.labels[row]]
                    for case in index.search(evidence.embeddings[row], MOST)
                ]
            )
            for row in evidence.held
        ]
    )


def _slice(evidence: ModelOutputs, row: int) -> int:
    found = evidence.material.dataset.items[row].slice
    return -1 if found is None else found


def _bytes(digits: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(digits), np.uint8)


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    middle = picture if picture.ndim == 2 else picture[len(picture) // 2]
    resized = Image.fromarray(middle).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(resized)
