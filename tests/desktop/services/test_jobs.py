"""Jobs: what runs off the GUI thread, and what is dropped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
import shiboken6

from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.errors import InputError


class ByHand:
    """Runs a piece of work when the test says so."""

    def __init__(self):
        self.queue: list[Callable[[], None]] = []

    def start(self, work):
        self.queue.append(work)

    def wait(self, milliseconds):
        return not self.queue

    def run(self):
        self.queue.pop(0)()


@pytest.fixture
def executor():
    return ByHand()


@pytest.fixture
def jobs(qapp, executor):
    return JobQueue(executor)


def refuse(job):
    raise InputError("scan.dcm", "It is empty.")


def test_result_arrives(jobs, executor):
    results = []
    jobs.start(lambda job: 41 + 1, results.append, pytest.fail)
    assert jobs.is_busy
    assert results == []
    executor.run()
    assert results == [42]
    assert not jobs.is_busy


def test_is_idle_when_the_last_result_arrives(jobs, executor):
    busy = []
    jobs.start(lambda job: None, lambda _: busy.append(jobs.is_busy), pytest.fail)
    executor.run()
    assert busy == [False]


def test_input_error_arrives_as_it_is(jobs, executor):
    errors = []
    jobs.start(refuse, pytest.fail, errors.append)
    executor.run()
    assert errors[0].source == "scan.dcm"


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "not enough memory"), (ZeroDivisionError("Jane Doe"), "ZeroDivisionError")],
)
def test_unexpected_errors_become_input_errors_and_name_no_patient(
    jobs, executor, caplog, error, words
):
    def fail(job):
        raise error

    errors = []
    with caplog.at_level(logging.DEBUG):
        jobs.start(fail, pytest.fail, errors.append)
        executor.run()
    assert words in errors[0].reason
    assert type(error).__name__ in caplog.text
    assert "Jane" not in caplog.text + str(errors[0])


def test_cancelled_before_it_ran(jobs, executor):
    ran = []
    job = jobs.start(ran.append, pytest.fail, pytest.fail)
    job.cancel()
    executor.run()
    assert ran == []
    assert not jobs.is_busy


def test_a_result_that_comes_after_cancelling_is_dropped(jobs, executor):
    def work(job: BackgroundJob):
        job.tell(pytest.fail, "progress")
        return 1

    job = jobs.start(lambda job: (job.cancel(), work(job)), pytest.fail, pytest.fail)
    executor.run()
    assert job.cancelled


def test_work_stops_where_it_checks(jobs, executor):
    reached = []

    def work(job: BackgroundJob):
        job.cancel()
        job.check()
        reached.append(True)

    jobs.start(work, pytest.fail, pytest.fail)
    executor.run()
    assert reached == []


def test_everything_arrives_on_the_gui_thread(qtbot):
    jobs, threads = JobQueue(), []

    def work(job: BackgroundJob):
        job.tell(lambda: threads.append(threading.current_thread()))
        return threading.current_thread()

    worker = []
    jobs.start(work, worker.append, pytest.fail)
    jobs.start(refuse, pytest.fail, lambda _: threads.append(threading.current_thread()))
    qtbot.waitUntil(lambda: not jobs.is_busy and len(threads) == 2)
    assert set(threads) == {threading.main_thread()}
    assert worker[0] is not threading.main_thread()
    assert jobs.close()


def test_close_does_not_wait_for_ever(qtbot):
    jobs, release, started = JobQueue(), threading.Event(), threading.Event()

    def stubborn(job: BackgroundJob):
        started.set()
        release.wait(10)

    jobs.start(stubborn, pytest.fail, pytest.fail)
    assert started.wait(5)
    assert not jobs.close(50)
    release.set()
    assert jobs.close(5000)


def test_what_ends_after_its_window_is_told_to_nobody(qapp, capfd) -> None:
    queue, go, told = JobQueue(), threading.Event(), []
    queue.start(lambda _: go.wait(60), told.append, told.append)
    executor = queue._executor
    shiboken6.delete(queue)
    go.set()
    assert executor.wait(60_000)
    assert told == []
    assert "Traceback" not in capfd.readouterr().err
