"""Sending to and receiving from other programs, beside dcmtk's storescu and storescp.

Run as ``python tests/benchmarks/archives.py [COUNT]``: needs dcmtk, and Orthanc for one line. Makes
COUNT (default 1,000) slices of 512×512 pixels, and prints one JSON object: seconds of each way, and
the ratios of dcmtk's time to ours (1.0 and more: at least as fast).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.pacs.made import study  # noqa: E402
from tests.pacs.orthanc_server import Orthanc, free_port, is_installed, own_network  # noqa: E402
from tumorviewer.pacs.addresses import ArchiveAddress  # noqa: E402
from tumorviewer.pacs.dimse import DimseArchive  # noqa: E402
from tumorviewer.pacs.listener import ListenerSettings, StorageListener  # noqa: E402


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def storescu(port: int, called: str, paths: list[Path]) -> None:
    command = ["storescu", "-aet", "TUMORVIEWER", "-aec", called, "127.0.0.1", str(port)]
    subprocess.run([*command, *paths], check=True)


def send_ours(address: ArchiveAddress, paths: list[Path]) -> None:
    answers = dict(DimseArchive(address).store(paths))
    assert all(answer.is_stored for answer in answers.values())


def to_storescp(folder: Path, send: Callable[[int], None]) -> float:
    folder.mkdir()
    port = free_port()
    server = subprocess.Popen(["storescp", "-od", folder, "-aet", "PEER", str(port)])
    time.sleep(0.5)
    taken = seconds(lambda: send(port))
    server.kill()
    server.wait()
    return taken


def to_listener(folder: Path, paths: list[Path]) -> float:
    port = free_port()
    settings = ListenerSettings(folder, ("TUMORVIEWER",), aet="PEER", port=port)
    with StorageListener(settings):
        taken = seconds(lambda: storescu(port, "PEER", paths))
    assert len(list(folder.rglob("*.dcm"))) == len(paths)
    return taken


def to_orthanc(folder: Path, send: Callable[[Orthanc], None]) -> float:
    server = Orthanc(folder)
    try:
        return seconds(lambda: send(server))
    finally:
        server.kill()


def main(count: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (512, 512)).astype(np.int16)
    with tempfile.TemporaryDirectory() as name, own_network() as is_own:
        folder = Path(name)
        paths = study(folder / "in", count, pixels=pixels)
        peer = {"name": "peer", "host": "127.0.0.1", "aet": "PEER"}
        found = {
            "storescu to storescp": to_storescp(
                folder / "a", lambda port: storescu(port, "PEER", paths)
            ),
            "ours to storescp": to_storescp(
                folder / "b", lambda port: send_ours(ArchiveAddress(**peer, port=port), paths)
            ),
            "storescu to ours": to_listener(folder / "c", paths),
        }
        if is_own and is_installed():
            found["storescu to Orthanc"] = to_orthanc(
                folder / "d", lambda server: storescu(server.dicom, "ORTHANC", paths)
            )
            found["ours to Orthanc"] = to_orthanc(
                folder / "e", lambda server: send_ours(server.dimse(), paths)
            )
    told = {"objects": count, "seconds": {key: round(taken, 2) for key, taken in found.items()}}
    ratios = {
        "receiving": found["storescu to storescp"] / found["storescu to ours"],
        "sending to storescp": found["storescu to storescp"] / found["ours to storescp"],
    }
    if "ours to Orthanc" in found:
        ratios["sending to Orthanc"] = found["storescu to Orthanc"] / found["ours to Orthanc"]
    print(json.dumps(told | {"ratios": {key: round(one, 2) for key, one in ratios.items()}}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
