"""The state of a run in one safetensors file: tensors, and JSON in its header. No pickle.

An epoch's randomness is a function of the seed and the epoch's number, so no generator needs to
be kept: checkpoints are written between epochs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from trainer.tools.atomic_files import write_bytes
from tumorviewer.errors import InputError

_NOTES = "trainer"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Tensors by name, and what goes with them."""

    tensors: dict[str, Tensor]
    notes: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose name begins with ``prefix``, without it."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at ``path``, wholly or not at all.

    Raises
    ------
    InputError
        If it cannot be written; what stood there before stands.
    """
    tensors = {name: one.detach().cpu().contiguous() for name, one in checkpoint.tensors.items()}
    write_bytes(path, save(tensors, {_NOTES: json.dumps(checkpoint.notes)}))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of :func:`write_checkpoint`.

    Raises
    ------
    InputError
        If it is damaged or something else.
    """
    try:
        with safe_open(path, "pt") as stored:
            notes = json.loads((stored.metadata() or {})[_NOTES])
            return Checkpoint({name: stored.get_tensor(name) for name in stored.keys()}, notes)  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(str(path), f"The checkpoint cannot be read: {error}.") from error


def flatten_optimiser(state: dict[str, Any]) -> dict[str, Tensor]:
    """``optimiser.state_dict()``'s tensors by ``"parameter.key"``; its groups are configuration."""
    return {
        f"{parameter}.{key}": tensor
        for parameter, values in state["state"].items()
        for key, tensor in values.items()
        if isinstance(tensor, Tensor)
    }


def restore_optimiser(flat: dict[str, Tensor], fresh: dict[str, Any]) -> dict[str, Any]:
    """The inverse: a state for ``load_state_dict``, with the groups of a fresh optimiser."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        parameter, key = name.split(".", 1)
        state.setdefault(int(parameter), {})[key] = tensor
    return {"state": state, "param_groups": fresh["param_groups"]}
