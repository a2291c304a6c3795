"""Prepared images, or embeddings, in batches on the training device.

Shapes: N images, C channels, S side, D embedding.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SHARE_OF_GPU = 0.5


class ImageStore:
    """Images or embeddings, on the device where they fit, else in the memory map."""

    def __init__(
        self, array: NDArray[np.uint8] | NDArray[np.float32], device: torch.device
    ) -> None:
        self._device = device
        self._array = array
        base: Any = array.base
        self._map = base if isinstance(base, mmap.mmap) else None
        self._on_device: Tensor | None = None
        if device.type == "cuda" and array.nbytes < _SHARE_OF_GPU * _free_memory(device):
            self._on_device = torch.from_numpy(np.array(array)).to(device)

    def batch(self, rows_N: Tensor) -> Tensor:
        """Pictures ``(N, C, S, S)`` in 0–1, or embeddings ``(N, D)``; float, on the device."""
        return self._made(self._gathered(rows_N))

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Tensor]:
        """One batch after the other; the next is fetched from the disk meanwhile."""
        with ThreadPoolExecutor(1) as beside:
            coming = [beside.submit(self._gathered, one) for one in rows[:1]]
            for number in range(len(rows)):
                gathered = coming.pop().result()
                coming += [
                    beside.submit(self._gathered, one) for one in rows[number + 1 : number + 2]
                ]
                yield self._made(gathered)

    def _gathered(self, rows_N: Tensor) -> Tensor:
        if self._on_device is not None:
            return self._on_device[rows_N.to(self._device)]
        gathered = torch.from_numpy(self._array[rows_N.cpu().numpy()])
        if self._map and hasattr(mmap, "MADV_DONTNEED"):
            # else every page of the map that was ever read counts as this process's memory
            self._map.madvise(mmap.MADV_DONTNEED)
        return gathered

    def _made(self, gathered: Tensor) -> Tensor:
        values = gathered.to(self._device)
        if values.dtype != torch.uint8:
            return values
        return (values if values.ndim == 4 else values.unsqueeze(1)).float().div_(255)


def _free_memory(device: torch.device) -> int:
    return int(torch.cuda.mem_get_info(device)[0])
