"""A volume, a finding and a worker that the tests of this room make themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tumorviewer.analysis.finding import Finding, ModelIdentity, Saliency
from tumorviewer.analysis.messages import (
    Analyse,
    Done,
    Event,
    Failed,
    ProgressEvent,
    Ready,
    RequestCancelled,
    SelfTest,
)
from tumorviewer.analysis.methods import BEST
from tumorviewer.analysis.preprocess import Box
from tumorviewer.errors import InputError
from tumorviewer.study.stamps import Stamp
from tumorviewer.study.types import Placement, Series, SourceFile, Study, Volume

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
LABELS = {
    "glioma": "Glioma",
    "meningioma": "Meningioma",
    "notumor": "No tumour",
    "pituitary": "Pituitary tumour",
}
WORKS = SelfTest(True, {"torch": "2.15"}, "cpu (2 threads)", ("No GPU is used.",))


def head(slices: int = 9, side: int = 64) -> Volume:
    """A bright ellipsoid with a brighter spot."""
    z, y, x = np.ogrid[-1 : 1 : slices * 1j, -1 : 1 : side * 1j, -1 : 1 : side * 1j]
    skull = (y / 0.9) ** 2 + (x / 0.75) ** 2 + (0.6 * z) ** 2 < 1
    spot = (y + 0.2) ** 2 + (x - 0.3) ** 2 + z**2 < 0.05
    texture = 60 * np.cos(9 * x) * np.cos(7 * y + 3 * z)
    array = np.where(skull, 400 + texture, 20.0) + 500 * spot
    return Volume(array.astype(np.int16), np.eye(4), Placement.PATIENT, "head")


class Source:
    """A volume source that fills a volume slice by slice, the middle one first."""

    notes = ()
    repeats = False
    affine = None
    files = (SourceFile(Path("head"), "head", Stamp(1, 1)),)

    def __init__(self, volume: Volume | None = None, label: str = "", error: str = ""):
        self.volume = volume or head()
        self.label = label
        self.error = error
        self.before_slice: Callable[[int], object] = lambda _: None
        self.loads = 0

    @property
    def shape(self):
        return self.volume.array.shape[:3]

    def load(self, progress=None):
        self.loads += 1
        if self.error:
            raise InputError("series", self.error, "Copy it again.")
        whole = self.volume.array
        volume = Volume(
            np.zeros_like(whole), self.volume.affine, self.volume.placement, self.volume.source
        )
        middle = len(whole) // 2
        for index in (middle, *(i for i in range(len(whole)) if i != middle)):
            self.before_slice(index)
            volume.array[index] = whole[index]
            if progress is not None:
                progress(volume, index)
        return volume


def series(*sources: Source, title: str = "T1 post contrast", uid: str = "1.2.3") -> Series:
    return Series(title, sources or (Source(),), source="folder", uid=uid, modality="MR", number=1)


def study(*all_series: Series, uid: str = "1.2", name: str = "Doe^Jane") -> Study:
    return Study(
        "Brain", all_series or (series(),), uid, name, "PID-77", "2026-01-02", "Brain <b>MR</b>"
    )


def finding(volume: Volume, predicted: str = "glioma", method: str = "gradcam") -> Finding:
    """As a model might answer."""
    count = len(volume.array)
    rows = np.full((count, 4), 0.02)
    rows[:, CLASSES.index(predicted)] = 0.94
    side = volume.array.shape[1]
    spot = np.exp(-((np.indices((32, 32)) - 12) ** 2).sum(axis=0) / 60).astype(np.float32)
    saliency = Saliency(
        method=method,
        target=predicted,
        class_agnostic=method == "eigencam",
        slices=tuple(range(count)),
        maps=np.repeat(spot[None], count, axis=0),
        peaks=np.ones(count, np.float32),
        strength=np.full(count, 0.98, np.float32),
        boxes=(Box(0, 0, side),) * count,
        shape=volume.array.shape[1:3],
    )
    return Finding(
        source=volume.source,
        series_instance_uid="1.2.3",
        volume=volume.label,
        model=ModelIdentity("light-se", "1.0", "0123456789abcdef" * 4),
        classes=CLASSES,
        labels=LABELS,
        no_tumour="notumor",
        probabilities=rows[0],
        slices=tuple(range(count)),
        slice_probabilities=rows,
        pooling="The mean over the slices that show most of the head.",
        key_slices=tuple(range(count))[count // 2 : count // 2 + 3],
        saliency=saliency,
        flags=("Two slices are blank and were not judged.",),
        device="cpu (2 threads)",
    )


class FakeClient:
    """A worker client whose answers the test gives; ``answers_itself`` gives them at once."""

    def __init__(self, on_event: Callable[[Event], None]):
        self.tell = on_event
        self.requests: dict[int, object] = {}
        self.cancelled: list[int] = []
        self.starts = 0
        self.restarts = 0
        self.is_closed = False
        self.answers_itself = False

    def start(self):
        self.starts += 1

    def submit(self, request):
        identifier = len(self.requests) + 1
        self.requests[identifier] = request
        if self.answers_itself:
            self.answer()
        return identifier

    def cancel(self, identifier):
        self.cancelled.append(identifier)
        self.tell(RequestCancelled(identifier))

    def restart(self):
        self.restarts += 1

    def close(self):
        self.is_closed = True

    @property
    def last(self):
        return self.requests[len(self.requests)]

    def ready(self, tested: SelfTest = WORKS):
        self.tell(Ready(tested))

    def progress(self, done: int, total: int, text: str = "Looking at slices"):
        self.tell(ProgressEvent(len(self.requests), done, total, text))

    def answer(self, result: object = None):
        request = self.last
        if result is None:
            method = "gradcam" if request.method in (None, BEST) else request.method
            result = finding(request.volume, method=method)
            if not isinstance(request, Analyse):
                result = result.saliency
        self.tell(Done(len(self.requests), result))

    def fail(self, message: str):
        self.tell(Failed(len(self.requests), message))


def model_folder() -> Path:
    return Path("model")


def pump(qtbot, room) -> None:
    """Wait until the records have nothing to do, not even what follows from what they answered."""
    for _ in range(3):
        done: list[object] = []
        room.executor.ask(lambda _: None, done.append)
        qtbot.waitUntil(lambda done=done: bool(done))
