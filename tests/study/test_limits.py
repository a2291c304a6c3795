"""Guards against files that promise more than they hold."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from tumorviewer.errors import InputError
from tumorviewer.files import format_size
from tumorviewer.study import limits


def test_a_regular_file_has_its_size(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    assert limits.check_regular_file(file, "a") == 3


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nothing"))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_folder, "folder"),
        (_pipe, "pipe, socket or device"),
        (_socket, "pipe, socket or device"),
        (_loop, "cannot read it"),
        (_dangling, "no such file"),
        (Path.touch, "empty"),
        (lambda path: None, "no such file"),
    ],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_what_is_not_a_file_is_refused_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)  # socket names are at most 107 bytes long
    make(Path("x"))
    with pytest.raises(InputError, match=reason) as refusal:
        limits.check_regular_file(Path("x"), "shown name")
    assert refusal.value.source == "shown name"


def test_names_that_no_system_takes_are_refused() -> None:
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(InputError):
            limits.check_regular_file(Path(name), "x")


def test_an_unreadable_file_says_whom_to_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="permission") as refusal:
        limits.check_regular_file(file, "a")
    assert refusal.value.remedy


@pytest.mark.parametrize("shape", [(0, 5, 5), (5, -1, 5), ()])
def test_no_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="without any pixels"):
        limits.check_allocation("x", shape, np.uint8, 1000)


def test_a_short_file_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(InputError, match=r"declares 8\.0 GB of pixels but holds only 272 bytes"):
        limits.check_allocation("x", (2000, 2000, 1000), np.int16, 272, limits.DEFLATE_RATIO)


def test_dimensions_do_not_overflow() -> None:
    huge = np.int16(32767)
    with pytest.raises(InputError, match="declares"):
        limits.check_allocation("x", (huge, huge, huge, huge), np.float64, 1000)


def test_what_fits_exactly_is_allowed() -> None:
    assert limits.check_allocation("x", (4, 5, 6), np.int16, 240) == 240
    with pytest.raises(InputError):
        limits.check_allocation("x", (4, 5, 6), np.int16, 239)


def test_an_honest_bomb_is_refused_and_a_sparse_mask_is_not() -> None:
    gigabytes = 8_000_000_000
    with pytest.raises(InputError, match="no real image"):
        limits.check_expansion("x", gigabytes, gigabytes // 1000, limits.DEFLATE_RATIO)
    with pytest.raises(InputError, match="no real image"):
        limits.check_expansion("x", gigabytes, 1000, math.inf)
    mask = 512 * 512 * 300 * 8
    limits.check_expansion("x", mask, mask // 1000, limits.DEFLATE_RATIO)


def test_memory_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "measure_free_memory", lambda: 1_000_000_000)
    with pytest.raises(InputError, match=r"700\.0 MB of memory; 1\.0 GB are free"):
        limits.check_memory("x", 700_000_000)
    assert limits.allocate_pixels("x", (10, 10), np.uint8).shape == (10, 10)
    with pytest.raises(InputError):
        limits.allocate_pixels("x", (1 << 20, 1 << 20), np.float64)


def test_memory_is_counted_inside_a_container(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 300\n")
    assert limits._control_group_memory(tmp_path) == 400
    (tmp_path / "memory.max").write_text("max\n")
    assert limits._control_group_memory(tmp_path) > 1 << 60


def test_this_machine_has_memory() -> None:
    assert limits.measure_free_memory() > 1 << 20


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (8_000_000_000, "8.0 GB"),
        (10**15, "1000.0 TB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert format_size(size) == text
