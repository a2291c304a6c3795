from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests.analysis.conftest import SIZE, head
from tumorviewer.analysis import device, pipeline, predict
from tumorviewer.analysis.engines.batches import Batches, softmax_probabilities
from tumorviewer.errors import InputError


def test_folding_batch_norms_changes_nothing_but_rounding(any_network):
    x = torch.rand(3, 1, SIZE, SIZE)
    fast = predict.optimise_network(copy.deepcopy(any_network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    with torch.inference_mode():
        torch.testing.assert_close(fast(x), any_network(x), atol=1e-4, rtol=1e-4)


def test_a_network_that_cannot_be_traced_stays_as_it_is():
    class Moody(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    part = Moody()
    assert predict._fused(part) is part


def test_probabilities_are_tempered(model):
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    sharp = softmax_probabilities(logits, model.card)
    object.__setattr__(model.card, "temperature", 4.0)
    soft = softmax_probabilities(logits, model.card)
    e = np.exp(0.5)
    assert soft[0, 0] == pytest.approx(e / (e + 3))
    assert sharp[0, 0] > soft[0, 0]
    assert soft.sum() == pytest.approx(1)


def test_an_answer_that_is_not_a_number_is_refused(model):
    with pytest.raises(InputError, match="not a number"):
        softmax_probabilities(torch.tensor([[np.nan, 0.0]]), model.card)


class Hungry(nn.Module):
    """Runs out of memory above some number of pictures."""

    def __init__(self, trunk, most, error):
        super().__init__()
        self.trunk, self.most, self.error, self.seen = trunk, most, error, []

    def forward(self, x):
        self.seen.append(len(x))
        if len(x) > self.most:
            raise self.error
        return self.trunk(x)


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:8])
def test_out_of_memory_takes_smaller_batches(model, error):
    reference = pipeline.analyse_volume(head(), model)
    model.network.trunk = Hungry(model.network.trunk, 1, error)
    found = pipeline.analyse_volume(head(), model)
    assert model.network.trunk.seen[:4] == [4, 2, 1, 1]
    np.testing.assert_allclose(found.probabilities, reference.probabilities, atol=1e-5)
    np.testing.assert_allclose(found.saliency.maps, reference.saliency.maps, atol=1e-4)
    assert any("smaller batches" in flag for flag in found.flags)
    assert not any("smaller batches" in flag for flag in reference.flags)


def test_out_of_memory_with_one_slice_on_the_cpu_is_said(model):
    model.network.trunk = Hungry(model.network.trunk, 0, torch.OutOfMemoryError("out of memory"))
    with pytest.raises(InputError, match="not enough memory"):
        pipeline.analyse_volume(head(), model)


def test_another_device_out_of_memory_falls_back_to_the_cpu(model, monkeypatch):
    """The device is played by one that is not there: the work raises wherever it is not moved."""
    monkeypatch.setattr(device, "describe_device", lambda it: f"{it.type}: made")
    moves = []
    monkeypatch.setattr(model.network, "to", lambda it: moves.append(it.type))
    model.device = torch.device("mps")
    batches = Batches(model)

    def work(part):
        if model.device.type != "cpu":
            raise torch.OutOfMemoryError("MPS backend out of memory")
        return part

    done = [part for part, _ in batches.run(list(range(10)), work)]
    assert [position for part in done for position in part] == list(range(10))
    assert moves == ["cpu"]
    assert "ran out of memory; the rest was computed on the CPU" in batches.flags[-1]


def test_other_errors_are_not_taken_for_want_of_memory(model):
    def work(part):
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Batches(model).run([1, 2], work))


def test_unknown_and_absent_devices_are_refused():
    with pytest.raises(InputError, match="no device of that name"):
        device.choose_device("tpu")
    for kind in ("cuda", "mps"):
        if device.describe_problem(kind):
            with pytest.raises(InputError, match="Choose the device auto"):
                device.choose_device(kind)
    assert device.choose_device("auto").type in ("cpu", "cuda", "mps")
    assert device.choose_device("cpu").type == "cpu"


def test_a_device_that_cannot_compute_is_passed_over(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(nn.Conv2d, "to", broken)
    device.describe_problem.cache_clear()
    try:
        assert "first computation failed: no kernel image" in device.describe_problem("cuda")
        assert device.choose_device("auto").type == "cpu"
    finally:
        device.describe_problem.cache_clear()


def broken(*_):
    raise RuntimeError("no kernel image is available\nCUDA kernel errors might be …")


def test_devices_in_words():
    torch.set_num_threads(1)
    assert device.describe_device(torch.device("cpu")) == "cpu (1 thread)"
    device.use_threads()
    try:
        threads = torch.get_num_threads()
        assert threads <= 8
        if threads > 1:
            assert device.describe_device(torch.device("cpu")) == f"cpu ({threads} threads)"
    finally:
        torch.set_num_threads(1)


@pytest.mark.gpu
def test_cuda_gives_the_answers_of_the_cpu(settled_bundle):
    if device.describe_problem("cuda"):
        pytest.skip(device.describe_problem("cuda"))
    on_cpu = pipeline.analyse_volume(head(), predict.load_model(settled_bundle, "cpu"))
    on_gpu = pipeline.analyse_volume(head(), predict.load_model(settled_bundle, "cuda"))
    assert on_gpu.device.startswith("cuda: ")
    np.testing.assert_allclose(on_gpu.probabilities, on_cpu.probabilities, atol=1e-3)
    np.testing.assert_allclose(on_gpu.saliency.maps, on_cpu.saliency.maps, atol=2e-2)


def test_the_number_of_threads_that_the_user_states_is_kept(monkeypatch):
    stated = []
    monkeypatch.setattr(torch, "set_num_threads", stated.append)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    device.use_threads()
    assert stated == []
    monkeypatch.delenv("OMP_NUM_THREADS")
    device.use_threads()
    assert 1 <= stated[0] <= 8
