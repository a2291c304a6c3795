"""The memory map of decoded pictures: killed while it is written, and larger than memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from drawn import draw

from trainer.data import dataset, prepared_images
from trainer.tools.progress import Progress
from tumorviewer.models.card import Preprocessing

QUIET = Progress("none")
LOAD = """
import sys
from pathlib import Path
from trainer.data import dataset, prepared_images
from trainer.tools.progress import Progress
from tumorviewer.models.card import Preprocessing
if __name__ == "__main__":
    data = dataset.read_dataset(Path(sys.argv[1]))
    print("reading", flush=True)
    stored = prepared_images.load_images(
        data, Preprocessing(size=64), Path(sys.argv[2]), Progress("none")
    )
    print(stored.array.sum(), flush=True)
"""
WRITE = """
import resource, sys
from pathlib import Path
import numpy as np
from trainer.data import dataset, prepared_images
from trainer.data.dataset import Dataset, LabelledItem
from trainer.tools.progress import Progress
def work(item):
    return np.full((64, 64), item.label, np.uint8)
if __name__ == "__main__":
    picture, cache = Path(sys.argv[1]), Path(sys.argv[2])
    items = tuple(LabelledItem(picture, f"{n}.png", n % 2) for n in range(int(sys.argv[3])))
    prepared_images.map_in_processes = lambda work, items, stage, progress: map(work, items)
    data = Dataset(picture.parent, ("a", "b"), items)
    prepared_images.decode_once(data, work, (64, 64), "", cache, Progress("none"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many")
    generator = np.random.default_rng(4)
    for number in range(90):
        folder = root / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        draw("disc", generator, 400).save(folder / f"{number}.png")
    return root


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2])
def test_killed_while_writing_the_next_run_makes_it_whole(many, tmp_path, after_s):
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", LOAD, str(many), str(cache)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "reading\n"
    while not list(cache.glob(".*.npy")):
        assert running.poll() is None
        time.sleep(0.002)
    time.sleep(after_s)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    stored = prepared_images.load_images(
        dataset.read_dataset(many), Preprocessing(size=64), cache, QUIET
    )
    fresh = prepared_images.load_images(
        dataset.read_dataset(many), Preprocessing(size=64), tmp_path / "fresh", QUIET
    )
    assert (stored.array == fresh.array).all()
    assert stored.sha256 == fresh.sha256


def test_what_a_killed_run_left_is_cleared_away(many, tmp_path):
    left = tmp_path / "cache" / ".123456789.abandoned.npy"
    left.parent.mkdir()
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    (left.parent / ".987654321.running.npy").write_bytes(b"half")
    prepared_images.load_images(
        dataset.read_dataset(many), Preprocessing(size=16), left.parent, QUIET
    )
    assert not left.exists()
    assert (left.parent / ".987654321.running.npy").exists()


def test_memory_does_not_grow_with_the_number_of_pictures(many, tmp_path):
    picture = next((many / "a").iterdir())
    (tmp_path / "cache").mkdir()

    def peak_kb(count: int) -> int:
        command = [sys.executable, "-c", WRITE, str(picture), str(tmp_path / "cache"), str(count)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    few, more = peak_kb(500), peak_kb(10_500)
    assert more - few < 10_000 * 64 * 64 / 1024 / 2
