"""Where a model runs: chosen, tried, and said in words."""

from __future__ import annotations

import os
import warnings
from functools import cache

import torch
from torch import nn

from tumorviewer.errors import InputError
from tumorviewer.language import tr

CHOICES = ("auto", "cpu", "cuda", "mps")
_MOST_THREADS = 8
"""Small networks gain nothing from more."""


def choose_device(requested: str = "auto") -> torch.device:
    """The device of that name; for ``auto`` the first of cuda, mps and cpu that works.

    Raises
    ------
    InputError
        If the name is unknown, or the device was asked for and cannot be used.
    """
    if requested not in CHOICES:
        raise InputError(
            requested,
            tr("There is no device of that name."),
            tr("Known are {known}.", known=", ".join(CHOICES)),
        )
    if requested == "auto":
        return torch.device(
            next(kind for kind in ("cuda", "mps", "cpu") if not describe_problem(kind))
        )
    if reason := describe_problem(requested):
        raise InputError(requested, reason, tr("Choose the device auto or cpu."))
    return torch.device(requested)


@cache
def describe_problem(kind: str) -> str:
    """Why a kind of device cannot be used, in words; empty if a convolution ran on it."""
    if kind == "cpu":
        return ""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        available = torch.cuda.is_available() if kind == "cuda" else torch.mps.is_available()
    if not available:
        return _why_not(kind, [str(warning.message) for warning in said])
    try:
        convolution = nn.Conv2d(1, 4, 3).to(kind)
        with torch.inference_mode():
            convolution(torch.ones(1, 1, 8, 8, device=kind)).sum().item()
    except RuntimeError as error:
        return tr(
            "The device is there, but a first computation failed: {error}", error=_first_line(error)
        )
    return ""


def _why_not(kind: str, warned: list[str]) -> str:
    if warned:
        return _first_line(warned[0])
    if kind == "mps":
        return tr("This is not a Mac with a GPU that PyTorch can use.")
    if torch.version.cuda is None:
        return tr("The installed PyTorch was built without CUDA.")
    return tr("There is no NVIDIA GPU with a working driver.")


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]


def describe_device(device: torch.device) -> str:
    """As a finding states it: ``"cpu (2 threads)"``, ``"cuda: NVIDIA H100"``."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "mps: Apple GPU"
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' if threads > 1 else ''})"


def use_threads() -> None:
    """Let torch use the cores that this process may run on, at most eight; ``OMP_NUM_THREADS``, if
    it is set, says how many instead."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(_usable_cores(), _MOST_THREADS))


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
