"""The queue of the batch: one for all windows, in which nothing is lost and nothing done twice."""

from __future__ import annotations

from tumorviewer.records import Records


def test_two_windows_add_to_one_queue_and_it_ends_with_its_last_study(folder) -> None:
    with Records(folder=folder) as one, Records(folder=folder) as other:
        one.queue.add([3, 1])
        assert other.queue.add([1, 2]).studies == {1, 2, 3}
        one.queue.pause(True)
        assert other.queue.wanted().is_paused
        assert other.queue.pause(False).studies == {1, 2, 3}
        one.queue.remove([3])
        assert other.queue.remove([1, 2]).studies == frozenset()
        assert one.session.kept("batch") is None


def test_what_one_judges_the_others_leave_alone(folder) -> None:
    with Records(folder=folder) as one, Records(folder=folder) as other:
        with one.queue.judging(5) as ours:
            assert ours
            with other.queue.judging(5) as theirs, other.queue.judging(6) as next_one:
                assert not theirs
                assert next_one
        with other.queue.judging(5) as theirs:
            assert theirs


def test_the_size_of_a_study_is_that_of_its_files(records, dicom, tmp_path) -> None:
    entry = records.worklist.add(dicom(count=3))
    files = list((tmp_path / "study").iterdir())
    assert records.worklist.sizes([entry.id]) == {entry.id: sum(f.stat().st_size for f in files)}
