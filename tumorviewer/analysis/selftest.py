"""The start-up self-test: can this computer analyse, and if not, why."""

from __future__ import annotations

import importlib
import importlib.metadata

from tumorviewer.analysis.messages import SelfTest
from tumorviewer.language import tr

LIBRARIES = {"torch": "torch", "torchvision": "torchvision", "grad-cam": "pytorch_grad_cam"}
"""Distribution to module, of what an analysis by torch cannot do without."""
ONNX_LIBRARIES = {"onnxruntime": "onnxruntime"}
"""The same of one by ONNX Runtime."""


def run_selftest() -> SelfTest:
    """Import every library of the engine that is going to compute, and compute something on the GPU
    if there is one. Never raises."""
    from tumorviewer.analysis.engines import choice
    from tumorviewer.analysis.engines.onnx_session import describe_cpu

    try:
        is_onnx = choice.prefers_onnx()
    except Exception:  # noqa: BLE001 - a broken driver may raise anything; torch is asked below
        is_onnx = False
    if not is_onnx:
        return _test_torch()
    versions, problems = _import_all(ONNX_LIBRARIES)
    if problems:
        return _test_torch()
    no_gpu = tr("No GPU is used. {problem}", problem=tr("There is none that torch can compute on."))
    return SelfTest(True, versions, describe_cpu(), (no_gpu,))


def _test_torch() -> SelfTest:
    versions, problems = _import_all(LIBRARIES)
    return SelfTest(False, versions, "", tuple(problems)) if problems else _try_devices(versions)


def _import_all(libraries: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Versions of what can be imported, and what cannot and why."""
    versions: dict[str, str] = {}
    problems: list[str] = []
    for distribution, module in libraries.items():
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
    return versions, problems


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
