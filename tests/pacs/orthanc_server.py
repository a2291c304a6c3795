"""Orthanc (Debian packages orthanc, orthanc-dicomweb) in a network of its own with only a loopback.

It listens on every interface whatever its settings say: in a network namespace nothing leaves the
machine.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tumorviewer.pacs.addresses import ArchiveAddress

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def is_installed() -> bool:
    return shutil.which("Orthanc") is not None and PLUGIN.exists() and sys.platform == "linux"


@contextmanager
def own_network() -> Iterator[bool]:
    """This thread, and what it starts, in a network of only a loopback; False if not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            yield False
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
            fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))
        yield True
        assert libc.setns(before, _CLONE_NEWNET) == 0
    finally:
        os.close(before)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Orthanc:
    """One server; `options` are Orthanc's own."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.http, self.dicom, self.peer = free_port(), free_port(), free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        (self.folder / "storage").mkdir(parents=True, exist_ok=True)
        config = {
            "Name": "tests", "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"), "Plugins": [str(PLUGIN)],
            "HttpPort": self.http, "DicomPort": self.dicom, "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": False, "AuthenticationEnabled": False,
            "DefaultEncoding": "Utf8", "DicomCheckCalledAet": True, "OverwriteInstances": False,
            "DicomModalities": {"us": {
                "AET": "TUMORVIEWER", "Host": "127.0.0.1", "Port": self.peer,
            }},
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        } | self.options  # fmt: skip
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(config))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["Orthanc", path], stdout=log, stderr=log)
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        assert self.process is not None
        while self.process.poll() is None:
            if _is_open(self.http) and _is_open(self.dicom):
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def ask(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self.http}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())

    def count(self) -> int:
        """How many instances it keeps."""
        return len(self.ask("/instances"))

    def kill(self) -> None:
        """As kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def dimse(self, **changes: Any) -> ArchiveAddress:
        values = {"name": "orthanc", "host": "127.0.0.1", "port": self.dicom, "aet": "ORTHANC"}
        return ArchiveAddress(**values | {"timeout_s": 20.0} | changes)

    def web(self, **changes: Any) -> ArchiveAddress:
        url = f"http://127.0.0.1:{self.http}/dicom-web"
        return ArchiveAddress(**{"name": "web", "url": url, "timeout_s": 20.0} | changes)
