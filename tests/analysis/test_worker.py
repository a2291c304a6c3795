"""The worker as a real process: it is asked, cancelled, killed and abandoned."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.conftest import head
from tests.analysis.test_candidates import RULES, card
from tumorviewer.analysis.client import WorkerClient
from tumorviewer.analysis.engines import choice
from tumorviewer.analysis.messages import (
    Analyse,
    AnswerStudy,
    CheckMap,
    Died,
    Done,
    Explain,
    Failed,
    ProgressEvent,
    Ready,
    RequestCancelled,
)
from tumorviewer.analysis.whole_study.study_answer import SeriesRead, StudyAnswer
from tumorviewer.models import bundle
from tumorviewer.networks.segmenter import create_segmenter

START_S = 120
"""Importing torch on a machine that does other things too."""


class Desk:
    """A client and the events that it told."""

    def __init__(self):
        self.events = queue.Queue()
        self.client = WorkerClient(self.events.put)

    def next(self, kind, timeout=30.0):
        """The next event of a kind; others are passed over."""
        ends = time.monotonic() + timeout
        while True:
            event = self.events.get(timeout=max(0.01, ends - time.monotonic()))
            if isinstance(event, kind):
                return event

    def ask(self, request, timeout=30.0):
        identifier = self.client.submit(request)
        answer = self.next((Done, Failed, RequestCancelled), timeout)
        assert answer.id == identifier
        return answer


@pytest.fixture(scope="module")
def desk():
    desk = Desk()
    desk.client.start()
    ready = desk.next(Ready, START_S)
    assert ready.selftest.ok
    engine = "onnxruntime" if choice.prefers_onnx() else "torch"
    assert engine in ready.selftest.versions
    yield desk
    desk.client.close()


def test_a_volume_is_analysed_and_then_explained_otherwise(desk, settled_bundle, volume):
    finding = desk.ask(Analyse(volume, settled_bundle, "cpu", "gradcam", "glioma")).result
    assert finding.source == "made/head"
    assert finding.saliency.maps.shape == (11, 96, 96)
    saliency = desk.ask(Explain(volume, settled_bundle, "hirescam", "pituitary", (3, 5))).result
    assert (saliency.method, saliency.target, saliency.slices) == ("hirescam", "pituitary", (3, 5))
    again = desk.ask(Explain(volume, settled_bundle, "gradcam", "glioma")).result
    np.testing.assert_allclose(again.maps, finding.saliency.maps, atol=1e-5)


def test_the_map_of_a_slice_is_checked_and_explained_against_another_class(
    desk, settled_bundle, volume
):
    predicted = desk.ask(Analyse(volume, settled_bundle), START_S).result.predicted_class
    check = desk.ask(CheckMap(volume, settled_bundle, "layercam", "pituitary", 5)).result
    assert (check.index, check.method, check.target) == (5, "layercam", "pituitary")
    assert check.nothing or -1 <= check.agreement <= 1
    other = "glioma" if predicted != "glioma" else "meningioma"
    asked = Explain(volume, settled_bundle, "hirescam", predicted, (5,), against=other)
    assert desk.ask(asked).result.against == other
    unjudged = desk.ask(CheckMap(volume, settled_bundle, "layercam", "pituitary", 0))
    assert "not judged" in unjudged.message


def test_a_study_is_answered_from_its_volume(desk, settled_bundle, volume, tmp_path):
    read = SeriesRead("made/head", "head", None, "", "T1 + contrast")
    asked = AnswerStudy(volume, settled_bundle, None, read, ("T1 + contrast",))
    without = desk.ask(asked, START_S).result
    assert (without.answer, without.series_read) == ("cannot_say", None)
    network = create_segmenter("light_unet", 4, width=8)
    bundle.write_bundle(tmp_path / "painted", card(RULES), network.state_dict())
    answer = desk.ask(replace(asked, finder=tmp_path / "painted", source="study")).result
    assert isinstance(answer, StudyAnswer)
    assert (answer.source, answer.series_read) == ("study", read)
    assert [one.name for one in answer.models] == ["painted", "settled"]


def test_a_volume_that_the_worker_does_not_have_is_sent(desk, settled_bundle, random_bundle):
    volume, other = head(), head(6)
    assert desk.ask(Analyse(other, settled_bundle)).result.slices == (1, 2, 3, 4, 5)
    assert len(desk.ask(Explain(volume, settled_bundle, "gradcam", "glioma")).result.slices) == 11
    maps = desk.ask(Explain(volume, random_bundle, "gradcam", "glioma")).result.maps
    assert maps.shape == (11, 224, 224)  # the other model's own size


def test_bad_requests_fail_and_the_worker_lives(desk, settled_bundle, volume, tmp_path):
    pid = desk.client._link.pid
    blank = head()
    blank.array[:] = 0
    assert "nothing to judge" in desk.ask(Analyse(blank, settled_bundle)).message
    assert "not a folder" in desk.ask(Analyse(volume, tmp_path / "gone")).message
    assert "no such class" in desk.ask(Analyse(volume, settled_bundle, target="x")).message
    assert "no device" in desk.ask(Analyse(volume, settled_bundle, "abacus")).message
    assert "saliency method" in desk.ask(Explain(volume, settled_bundle, "guess", "x")).message
    odd = desk.ask(Explain(volume, settled_bundle, "gradcam", "glioma", ("one",)))
    assert isinstance(odd, Failed)
    nonsense = desk.ask("not a request")
    assert isinstance(nonsense, Failed)
    assert "AttributeError at client.py" in nonsense.detail
    assert isinstance(desk.ask(Analyse(volume, settled_bundle)), Done)
    assert desk.client._link.pid == pid


def test_a_long_request_is_cancelled_at_once_and_the_worker_is_free_again(
    desk, settled_bundle, volume
):
    desk.ask(Analyse(volume, settled_bundle))
    slices = tuple(range(1, 12))
    slow = desk.client.submit(Explain(volume, settled_bundle, "scorecam", "glioma", slices))
    while desk.next(ProgressEvent).text != "Making saliency maps":
        pass
    start = time.monotonic()
    desk.client.cancel(slow)
    assert desk.next((Done, Failed, RequestCancelled)) == RequestCancelled(slow)
    assert time.monotonic() - start < 0.3
    quick = desk.ask(Explain(volume, settled_bundle, "gradcam", "glioma", (5,)))
    assert isinstance(quick, Done)  # far sooner than eleven slices of Score-CAM
    assert time.monotonic() - start < 5
    desk.client.cancel(slow)
    desk.client.cancel(12345)


def test_what_waits_is_cancelled_too(desk, settled_bundle, volume):
    ids = [desk.client.submit(Analyse(volume, settled_bundle)) for _ in range(3)]
    desk.client.cancel(ids[2])
    answers = {
        event.id: type(event) for event in (desk.next((Done, RequestCancelled)) for _ in ids)
    }
    assert answers == {ids[0]: Done, ids[1]: Done, ids[2]: RequestCancelled}


def test_killed_it_is_told_of_and_the_next_request_starts_another(desk, settled_bundle, volume):
    desk.ask(Analyse(volume, settled_bundle))
    slices = tuple(range(1, 12))
    slow = desk.client.submit(Explain(volume, settled_bundle, "scorecam", "glioma", slices))
    while desk.next(ProgressEvent).text != "Making saliency maps":
        pass
    pid = desk.client._link.pid
    start = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    died = desk.next((Died, Done, Failed))
    assert time.monotonic() - start < 1
    assert isinstance(died, Died)
    assert "signal 9" in died.reason
    assert "memory" in died.reason
    failed = desk.next(Failed)
    assert failed.id == slow
    assert failed.message.endswith("Ask again.")
    # the volume is sent again, as the new worker has it not
    answer = desk.ask(Explain(volume, settled_bundle, "gradcam", "glioma"), START_S)
    assert len(answer.result.slices) == 11
    assert desk.client._link.pid != pid


def test_restart_ends_what_runs(desk, settled_bundle, volume):
    desk.ask(Analyse(volume, settled_bundle), START_S)
    slow = desk.client.submit(
        Explain(volume, settled_bundle, "scorecam", "glioma", tuple(range(1, 12)))
    )
    while desk.next(ProgressEvent).text != "Making saliency maps":
        pass
    pid = desk.client._link.pid
    desk.client.restart()
    event = desk.next((Died, Failed, Done))
    assert event == Failed(slow, "The analysis was stopped.")
    assert gone(pid, 1)
    assert desk.client._connected().pid != pid


def test_closing_leaves_no_process_and_tells_nothing_more(settled_bundle, volume):
    desk = Desk()
    desk.client.start()
    desk.client.submit(Analyse(volume, settled_bundle))
    desk.next(ProgressEvent)
    pid = desk.client._connected().pid
    desk.client.close()
    desk.client.close()
    assert gone(pid, 1)
    while not desk.events.empty():
        assert isinstance(desk.events.get(), ProgressEvent)
    with pytest.raises(RuntimeError, match="closed"):
        desk.client.submit(Analyse(volume, settled_bundle))


PARENT = """
    import signal, sys, time
    from tumorviewer.analysis.client import WorkerClient

    def main():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below "nohup … &"
        client = WorkerClient(lambda event: print(type(event).__name__, flush=True))
        client.start()
        try:
            print(client._connected().pid, flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            {after}

    if __name__ == "__main__":
        main()
"""


@pytest.fixture
def parent(tmp_path):
    """A program that has started a worker, in a session of its own; and the worker's pid."""

    def start(after="pass"):
        script = tmp_path / "parent.py"
        script.write_text(textwrap.dedent(PARENT).format(after=after))
        process = subprocess.Popen(
            [sys.executable, script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        started.append(process)
        return process, int(process.stdout.readline())

    started = []
    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_abandoned_worker_ends(parent):
    process, pid = parent()
    assert not gone(pid, 0)
    process.kill()
    process.wait()
    assert gone(pid, 5)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_is_the_parents_and_the_worker_prints_nothing(parent):
    process, pid = parent("client.close()")
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert "interrupted" in out
    assert "Died" not in out
    assert err == ""
    assert process.returncode == 0
    assert gone(pid, 1)


def test_without_closing_the_worker_ends_with_the_interpreter(parent):
    process, pid = parent()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert err == ""
    assert gone(pid, 1)


def gone(pid, within):
    """Whether a process has ended, and was waited for if it is ours, within some seconds."""
    ends = time.monotonic() + within
    while True:
        state = Path(f"/proc/{pid}/stat")
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        if time.monotonic() >= ends:
            return False
        time.sleep(0.02)
