"""The training items most like a slice, by the network's embeddings; from arrays ``similar.*``.

Brute force by scikit-learn: exact, and quick enough for 100,000 embeddings
(``tests/benchmarks/similar.py``). Among vectors of unit length the nearest ones are those with the
greatest cosine, and take half the time to find. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.finding import SimilarCase

# Shape suffixes: N items, D embedding, P principal components.

MOST = 5
_FIRST = 2048
"""Neighbours asked for at first; more where they are of fewer groups than wanted."""


class SimilarCaseIndex:
    """Embeddings of training items to search in.

    Parameters
    ----------
    arrays
        By name: ``mean`` ``(D,)`` and ``components`` ``(P, D)`` of the principal components;
        ``embeddings`` ``(N, P)`` of unit length, ``labels``, ``sources``, ``groups``, ``slices``
        ``(N,)``, and ``digests`` ``(N, 8)`` bytes.
    classes, sources
        What ``labels`` and ``sources`` count.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[np.generic]],
        classes: Sequence[str],
        sources: Sequence[str],
    ) -> None:
        from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped]

        self._arrays = arrays
        self._classes, self._sources = classes, sources
        embeddings_NP = _unit(arrays["embeddings"].astype(np.float32))
        self._count = len(embeddings_NP)
        self._neighbours = NearestNeighbors(algorithm="brute").fit(embeddings_NP)

    def search(self, embedding_D: NDArray[np.floating], most: int = MOST) -> list[SimilarCase]:
        """The most similar items, the first of each group only: twins do not fill the list.

        Parameters
        ----------
        embedding_D
            As the network gives it.
        """
        query_1P = project_embeddings(
            embedding_D[None], self._arrays["mean"], self._arrays["components"]
        )
        wanted = min(_FIRST, self._count)
        while True:
            distances, rows = self._neighbours.kneighbors(query_1P, wanted)
            _, first = np.unique(self._arrays["groups"][rows[0]], return_index=True)
            if len(first) >= most or wanted == self._count:
                break
            wanted = min(8 * wanted, self._count)
        chosen = np.sort(first)[:most]
        return [self._case(int(rows[0, at]), 1 - float(distances[0, at]) ** 2 / 2) for at in chosen]

    def _case(self, row: int, similarity: float) -> SimilarCase:
        of = self._arrays
        return SimilarCase(
            label=self._classes[int(of["labels"][row])],
            source=self._sources[int(of["sources"][row])],
            similarity=min(similarity, 1.0),
            digest=of["digests"][row].tobytes().hex(),
            slice=int(of["slices"][row]),
            row=row,
        )


def project_embeddings(
    embeddings_ND: NDArray[np.floating],
    mean_D: NDArray[np.generic],
    components_PD: NDArray[np.generic],
) -> NDArray[np.float32]:
    """Principal components of embeddings, ``(N, P)``, of unit length."""
    centred = embeddings_ND.astype(np.float32) - mean_D.astype(np.float32)
    return _unit(centred @ components_PD.astype(np.float32).T)


def _unit(vectors_NP: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors_NP, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors_NP / np.maximum(lengths, 1e-12)
    return unit
