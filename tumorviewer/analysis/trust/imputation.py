"""Pixels imputed from their neighbours: the noisy linear imputation of ROAD. No torch.

Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022.
Shapes: T slices that the network sees, S side, M missing pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix  # type: ignore[import-untyped]
from scipy.sparse.linalg import spsolve  # type: ignore[import-untyped]

Floats = NDArray[np.float32]
_NOISE = 0.01
_BESIDE, _ACROSS = 1 / 6, 1 / 12
"""Weights of the neighbours that share an edge, and of those that share a corner."""
_NEIGHBOURS = {
    (down, right): _ACROSS if down and right else _BESIDE
    for down in (-1, 0, 1)
    for right in (-1, 0, 1)
    if down or right
}


def impute(image_TSS: Floats, missing_SS: NDArray[np.bool_], random: np.random.Generator) -> Floats:
    """The image with each missing pixel at the weighted mean of its neighbours, missing ones
    included (a linear system), and a little noise on it."""
    places = np.argwhere(missing_SS)
    number_SS = np.full(missing_SS.shape, -1)
    number_SS[missing_SS] = np.arange(len(places))
    rows, columns, values = [], [], []
    known_MT = np.zeros((len(places), len(image_TSS)))
    total_M = np.zeros(len(places))
    for offset, weight in _NEIGHBOURS.items():
        beside = places + offset
        inside = ((beside >= 0) & (beside < missing_SS.shape)).all(1)
        own, at = np.flatnonzero(inside), tuple(beside[inside].T)
        total_M[own] += weight
        is_missing = missing_SS[at]
        rows.append(own[is_missing])
        columns.append(number_SS[at][is_missing])
        values.append(np.full(int(is_missing.sum()), -weight))
        known_MT[own[~is_missing]] += weight * image_TSS[:, *at].T[~is_missing]
    every = np.arange(len(places))
    entries = np.concatenate([total_M, *values])
    at = (np.concatenate([every, *rows]), np.concatenate([every, *columns]))
    system = csc_matrix((entries, at), shape=(len(places), len(places)))
    solved_MT = spsolve(system, known_MT).reshape(len(places), -1)
    imputed = image_TSS.copy()
    imputed[:, missing_SS] = solved_MT.T + random.normal(0, _NOISE, solved_MT.T.shape)
    return imputed
