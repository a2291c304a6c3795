"""Speed and memory of training, as ratios within one run; on one thread unless OMP_NUM_THREADS
says otherwise. Processor time of the training process is said beside the clock's, for machines
that do other things too.

Run as ``python tests/benchmarks/train_throughput.py [throughput] [peak] [frozen] [memory]``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from trainer.data.split import Split
from trainer.tools.progress import Progress
from trainer.training.augment import Augmentation
from trainer.training.frozen_features import Remainder
from trainer.training.image_store import ImageStore
from trainer.training.loop import Trainer
from trainer.training.optimise import TrainingSettings
from tumorviewer import networks

SIDE, BATCH, PICTURES, ROUNDS, CLASSES = 224, 32, 160, 2, 4
CPU = torch.device("cpu")


class Timed(Trainer):
    """Knows how long forward and backward took."""

    spent = 0.0

    def _gradient(self, *batch: Any) -> Tensor:
        start = time.process_time()
        loss = super()._gradient(*batch)
        self.spent += time.process_time() - start
        return loss


def files(folder: Path) -> Path:
    """Smooth noise in 512 × 512 JPEG files, a folder per class: as the public sets are."""
    chance = np.random.default_rng(0)
    for number in range(PICTURES):
        path = folder / str(number % CLASSES) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = Image.fromarray(chance.integers(0, 256, (64, 64), dtype=np.uint8))
        noise.resize((512, 512), Image.Resampling.BICUBIC).convert("RGB").save(path)
    return folder


def ours(array: np.ndarray, precision: str) -> Timed:
    """Our loop with every default of augmentation."""
    labels = np.arange(len(array)) % CLASSES
    split = Split(np.arange(len(array)), np.arange(0))
    settings = TrainingSettings(batch=BATCH, precision=precision)
    network = networks.create_network("light", CLASSES)
    return Timed(network, ImageStore(array, CPU), labels, split, settings, Augmentation(), CPU)


def now() -> tuple[float, float]:
    """The clock's time, and the processor time of this process without its workers."""
    return time.perf_counter(), time.process_time()


def speeds(pictures: int, since: tuple[float, float]) -> tuple[float, float]:
    """Pictures a second by both."""
    return tuple(pictures / (end - start) for start, end in zip(since, now(), strict=True))


class UsualLoop:
    """The loop that most people write, of the same network, batch and optimiser."""

    def __init__(self, folder: Path) -> None:
        seen = transforms.Compose(
            [
                transforms.Grayscale(),
                transforms.Resize((SIDE, SIDE)),
                transforms.RandomHorizontalFlip(),
                transforms.RandomRotation(15),
                transforms.ColorJitter(0.2, 0.2),
                transforms.ToTensor(),
            ]
        )
        self.loader = DataLoader(ImageFolder(str(folder), seen), BATCH, shuffle=True, num_workers=2)
        self.network = networks.create_network("light", CLASSES).train()
        self.optimiser = torch.optim.AdamW(self.network.parameters(), 2e-3)

    def epoch(self) -> tuple[float, float]:
        """As :func:`speeds`, without the workers' start: from the arrival of the first batch."""
        start, seen = (0.0, 0.0), 0
        for pictures, labels in self.loader:
            start = start if seen else now()
            self.optimiser.zero_grad()
            loss = functional.cross_entropy(self.network(pictures), labels)
            loss.backward()
            self.optimiser.step()
            seen += len(labels) * bool(loss.item())
        return speeds(seen, start)


def throughput() -> None:
    """Pictures a second of both loops in turn, after one epoch to warm up."""
    with tempfile.TemporaryDirectory() as scratch:
        usual = UsualLoop(files(Path(scratch)))
        chance = np.random.default_rng(0)
        array = chance.integers(0, 256, (PICTURES, SIDE, SIDE), dtype=np.uint8)
        loops = {"fp32": ours(array, "fp32"), "bf16": ours(array, "bf16-everywhere")}
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ("usual", *loops)}
        shares: dict[str, float] = {}
        for _ in range(ROUNDS + 1):
            rates["usual"].append(usual.epoch())
            for name, loop in loops.items():
                loop.spent, start = 0.0, now()
                loop._train_epoch()
                rates[name].append(speeds(PICTURES, start))
                shares[name] = loop.spent / (now()[1] - start[1])
    wall, cpu = (
        {
            name: float(np.median([one[which] for one in several[1:]]))
            for name, several in rates.items()
        }
        for which in (0, 1)
    )
    print(f"light CNN, {SIDE} px, batch {BATCH}: the usual loop {wall['usual']:.1f} pictures/s")
    for name, share in shares.items():
        clock, processor = wall[name] / wall["usual"], cpu[name] / cpu["usual"]
        print(
            f"  ours in {name}: {wall[name]:.1f} pictures/s, {clock:.2f} times as many "
            f"by the clock, {processor:.2f} by processor time; "
            f"{100 * share:.1f} % of it in forward and backward"
        )


def seconds(work: Callable[[], Any], rounds: int = 2) -> float:
    """Processor time a thread of the quickest of some rounds after a first one."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) / torch.get_num_threads())
    return min(taken)


def operations(network: nn.Module, x: Tensor) -> int:
    """Of forward and backward: twice the multiplications of the forward, three times over."""
    total = 0

    def count(layer: nn.Module, _: Any, made: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        places = made.numel() if isinstance(layer, nn.Linear) else made[:, :1].numel()
        each = weight.shape[1] if isinstance(layer, nn.Linear) else weight.numel()
        total += 6 * places * each

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return total


def rate(network: nn.Module, x: Tensor) -> float:
    """Floating-point operations a second in forward and backward, channels last, fp32."""
    network = network.to(memory_format=torch.channels_last).train()
    x = x.contiguous(memory_format=torch.channels_last)
    return operations(network, x) / seconds(lambda: network(x).sum().backward())


def peak() -> None:
    """What share of this machine's speed in dense convolutions training reaches."""
    dense = nn.Sequential(*(nn.Conv2d(256, 256, 3, padding=1, bias=False) for _ in range(4)))
    most = rate(dense, torch.rand(16, 256, 28, 28))
    print(f"dense 3 × 3 convolutions of 256 channels: {most / 1e9:.1f} GFLOP/s")
    for name, batch in (("vgg16", 8), ("resnet50", 8), ("light", 16)):
        reached = rate(networks.create_network(name, CLASSES), torch.rand(batch, 1, SIDE, SIDE))
        print(f"  {name}: {reached / 1e9:.1f} GFLOP/s, {100 * reached / most:.0f} % of that")


def frozen() -> None:
    """An epoch from cached embeddings, checkpoint and validation included, beside one without."""
    network = (
        networks.create_network("resnet50", CLASSES).to(memory_format=torch.channels_last).eval()
    )
    x = torch.rand(16, 1, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    remainder = Remainder(network, x[:1])

    def without_cache() -> None:
        with torch.no_grad():
            embedding = network.embed(network.trunk(x))
        remainder(embedding).sum().backward()

    each = seconds(without_cache) / len(x)
    count = 5000
    embeddings = np.random.default_rng(0).random((count, 2048), np.float32)
    labels = np.arange(count) % CLASSES
    split = Split(np.arange(count)[: count * 4 // 5], np.arange(count)[count * 4 // 5 :])
    settings = TrainingSettings(epochs=6, keep="last")
    loop = Trainer(remainder, ImageStore(embeddings, CPU), labels, split, settings, None, CPU)
    with tempfile.TemporaryDirectory() as scratch:
        loop.run(Path(scratch), Progress("none"))
    epoch = float(np.median([entry["seconds"] for entry in loop.log[1:]]))
    print(
        f"frozen resnet50, {SIDE} px, {count} pictures: {epoch:.2f} s an epoch from the cache, "
        f"{each * count:.0f} s without it (measured on {len(x)}): {each * count / epoch:.0f} times"
    )


def memory() -> None:
    """Peak memory of training and of reading every picture once, few and many."""
    for count in (500, 50_000):
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=read_all, args=(count,))
        process.start()
        process.join()


def read_all(count: int) -> None:
    """Train two batches of a memory map and read the rest; says the process's own peak."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "pictures.npy"
        shape = (count, SIDE, SIDE)
        np.lib.format.open_memmap(path, "w+", np.uint8, shape).flush()
        array = np.load(path, mmap_mode="r")
        ours(array[: 2 * BATCH], "fp32")._train_epoch()
        for _ in ImageStore(array, CPU).batches(torch.randperm(count).split(BATCH)):
            pass
    status = Path("/proc/self/status").read_text()
    highest = int(status.split("VmHWM:")[1].split()[0]) // 1024
    print(f"{count} pictures ({array.nbytes >> 20} MiB): {highest} MiB at most", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    every = {"throughput": throughput, "peak": peak, "frozen": frozen, "memory": memory}
    for chosen in sys.argv[1:] or every:
        every[chosen]()
