"""Several processes train one network: started by torchrun and joined here; one otherwise.

``torchrun --nproc-per-node 2 -m trainer fit …`` is the same command with every batch divided
among the processes, on GPUs through NCCL and on the CPU through Gloo. The processes read the same
data, cache and run folder (on several nodes: a shared file system); the first one writes and
speaks. Gradients are those of the whole batch. Batch normalisation sees the whole batch on GPUs
(synchronised); on the CPU, for which PyTorch has no synchronised form, each process normalises
by its own part and the running statistics of the first one are kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tumorviewer.errors import InputError

_PATIENCE = timedelta(hours=12)
"""The first process of a node may decode a large data set meanwhile; torchrun ends all when one
dies."""


def _are_several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def get_rank() -> int:
    """Which of the processes this is."""
    return distributed.get_rank() if _are_several() else 0


def count_processes() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _are_several() else 1


def is_first() -> bool:
    """Whether this process writes and speaks."""
    return get_rank() == 0


@contextmanager
def join_process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started; the device that this one computes on.

    Raises
    ------
    InputError
        If there are fewer GPUs than processes on this node.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield device
        return
    own = _own(device, _local_rank())
    backend = "nccl" if own.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    yield own
    distributed.destroy_process_group()


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def _own(device: torch.device, local_rank: int) -> torch.device:
    if device.type != "cuda":
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        reason = f"There are {torch.cuda.device_count()} GPUs, fewer than processes."
        raise InputError("torchrun", reason, "Lower --nproc-per-node, or add --device cpu.")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def wait_for_all() -> None:
    """Until every process is here."""
    if _are_several():
        distributed.barrier()


@contextmanager
def let_one_go_first() -> Iterator[None]:
    """Let one process of each node do a thing before the others find it done, or try it themselves
    if it failed: nobody waits for one that does not come."""
    if _local_rank():
        wait_for_all()
    try:
        yield
    finally:
        if not _local_rank():
            wait_for_all()


def replicate_network(network: nn.Module, device: torch.device) -> nn.Module:
    """A network whose gradients are averaged over the processes; itself if there is one only."""
    if not _are_several():
        return network
    if device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return DistributedDataParallel(network, [device] if device.type == "cuda" else None)


def take_share(rows_N: Tensor) -> Tensor:
    """The part of a batch that is this process's."""
    return rows_N.tensor_split(count_processes())[get_rank()]


def average_over_processes(value: Tensor) -> float:
    """Over the processes."""
    if _are_several():
        distributed.all_reduce(value)
    return float(value) / count_processes()


def copy_buffers(network: nn.Module) -> None:
    """Give every process the first one's running statistics."""
    if _are_several():
        for buffer in network.buffers():
            distributed.broadcast(buffer, 0)


def gather_arrays(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """The parts of all processes, in their order."""
    if not _are_several():
        return part
    parts: list[NDArray[np.float64]] = [part] * count_processes()
    distributed.all_gather_object(parts, part)
    return np.concatenate(parts)
