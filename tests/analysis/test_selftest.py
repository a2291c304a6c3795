from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tumorviewer.analysis import device, selftest
from tumorviewer.analysis.engines import choice


@pytest.fixture
def by_torch(monkeypatch):
    monkeypatch.setenv(choice.SETTING, "torch")


def test_a_machine_without_a_gpu_needs_no_torch():
    code = (
        "import sys; from tumorviewer.analysis import selftest; print(selftest.run_selftest().ok)"
    )
    code += "; print('torch' in sys.modules)"
    if choice.has_gpu():
        pytest.skip("there is a GPU")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.usefixtures("by_torch")
def test_this_machine_can_analyse():
    found = selftest.run_selftest()
    assert found.ok
    assert found.device
    assert set(found.versions) == set(selftest.LIBRARIES)
    if found.device.startswith("cpu"):
        assert found.problems[0].startswith("No GPU is used. ")


@pytest.mark.usefixtures("by_torch")
@pytest.mark.parametrize("error", [ImportError("libtorch.so"), OSError("a\nb"), ValueError()])
def test_a_broken_library_is_named_with_the_reason(monkeypatch, error):
    real = importlib.import_module

    def broken(name, *rest):
        if name == "torchvision":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(selftest.importlib, "import_module", broken)
    found = selftest.run_selftest()
    assert not found.ok
    assert "torchvision" not in found.versions
    assert found.problems[0].startswith(f"torchvision cannot be used: {type(error).__name__}")
    assert "\n" not in found.problems[0]


@pytest.mark.usefixtures("by_torch")
def test_a_broken_driver_does_not_raise(monkeypatch):
    def broken(_):
        raise RuntimeError("driver fault")

    monkeypatch.setattr(device, "choose_device", broken)
    found = selftest.run_selftest()
    assert not found.ok
    assert found.problems == ("torch cannot compute: RuntimeError: driver fault",)


def test_the_windows_side_imports_neither_torch_nor_qt():
    modules = "client finding messages methods pooling preprocess slices worker worker_process"
    code = "import sys\n" + "".join(
        f"import tumorviewer.analysis.{name}\n" for name in modules.split()
    )
    code += "print({'torch', 'torchvision', 'pytorch_grad_cam', 'PySide6'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
