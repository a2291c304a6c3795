"""Live curves for TensorBoard, in the run's folder: ``tensorboard --logdir DIR``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tumorviewer.errors import InputError

FOLDER = "tensorboard"


def open_tensorboard(folder: Path, epoch: int) -> Callable[[dict[str, Any]], None]:
    """What writes the log entry of each finished epoch as scalars.

    Parameters
    ----------
    epoch
        The last one that is over; what a killed run wrote of later ones is dropped.

    Raises
    ------
    InputError
        If TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard",
            "TensorBoard is not installed.",
            "Install tumorviewer[train], or leave the option out: log.jsonl has the same figures.",
        ) from error
    writer = SummaryWriter(str(folder / FOLDER), purge_step=epoch + 1)

    def write(entry: dict[str, Any]) -> None:
        for name, value in entry.items():
            if name != "epoch":
                writer.add_scalar(name, value, entry["epoch"])
        writer.flush()

    return write
