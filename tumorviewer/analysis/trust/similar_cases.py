"""The training items most like a slice, by the network's embeddings; from arrays ``similar.*``.

Every cosine is worked out: exact, and quick enough for 100,000 embeddings
(``tests/benchmarks/similar.py``). No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.finding import SimilarCase

# Shape suffixes: N items, D embedding, P principal components.

MOST = 5


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
        self._arrays = arrays
        self._classes, self._sources = classes, sources
        self._embeddings_NP = _unit(arrays["embeddings"].astype(np.float32))

    def search(self, embedding_D: NDArray[np.floating], most: int = MOST) -> list[SimilarCase]:
        """The most similar items, the first of each group only: near-duplicates fill no list.

        Parameters
        ----------
        embedding_D
            As the network gives it.
        """
        (query_P,) = project_embeddings(
            embedding_D[None], self._arrays["mean"], self._arrays["components"]
        )
        cosines_N = self._embeddings_NP @ query_P
        order = np.argsort(-cosines_N, kind="stable")
        _, first = np.unique(self._arrays["groups"][order], return_index=True)
        chosen = order[np.sort(first)[:most]]
        return [self._case(int(row), float(cosines_N[row])) for row in chosen]

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
