"""The start-up self-test: can this computer analyse, and if not, why."""

from __future__ import annotations

import importlib
import importlib.metadata

from tumorviewer.analysis.messages import SelfTest
from tumorviewer.language import tr

LIBRARIES = {"torch": "torch", "torchvision": "torchvision", "grad-cam": "pytorch_grad_cam"}
"""Distribution to module, of what an analysis cannot do without."""


def run_selftest() -> SelfTest:
    """Import every library, and compute something on the GPU if there is one. Never raises."""
    versions: dict[str, str] = {}
    problems: list[str] = []
    for distribution, module in LIBRARIES.items():
        try:
            importlib.import_module(module)
            versions[distribution] = importlib.metadata.version(distribution)
        except Exception as error:  # noqa: BLE001 - a broken library may raise anything
            problems.append(
                tr(
                    "{distribution} cannot be used: {reason}",
                    distribution=distribution,
                    reason=_reason(error),
                )
            )
    if problems:
        return SelfTest(False, versions, "", tuple(problems))
    return _try_devices(versions)


def _try_devices(versions: dict[str, str]) -> SelfTest:
    try:
        from tumorviewer.analysis import device

        chosen = device.choose_device("auto")
        problems = (
            (tr("No GPU is used. {problem}", problem=device.describe_problem("cuda")),)
            if chosen.type == "cpu"
            else ()
        )
        return SelfTest(True, versions, device.describe_device(chosen), problems)
    except Exception as error:  # noqa: BLE001 - a broken driver may raise anything
        return SelfTest(
            False, versions, "", (tr("torch cannot compute: {reason}", reason=_reason(error)),)
        )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
