"""Orthanc for the tests of archives; where it is missing they skip and say so."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

from tests.pacs.orthanc_server import Orthanc, is_installed, own_network
from tumorviewer.records import Records


@pytest.fixture(scope="module")
def network():
    """A network of this module's own."""
    with own_network() as is_own:
        yield is_own


@pytest.fixture(scope="module")
def start_orthanc(network, tmp_path_factory):
    """Starts servers with options of Orthanc's."""
    if not is_installed():
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    if not network:
        pytest.skip("a network namespace of its own is not allowed here")
    servers: list[Orthanc] = []

    def start(**options) -> Orthanc:
        servers.append(Orthanc(tmp_path_factory.mktemp("orthanc"), **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def orthanc(start_orthanc) -> Orthanc:
    """A server that the tests of a module share."""
    return start_orthanc()


@pytest.fixture
def left_sockets():
    """Collects the sockets of failed connections, which pynetdicom 3.0 leaves open, before a later
    test is blamed for them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def records(tmp_path: Path):
    with Records(folder=tmp_path / "home" / "records", reader="dr. test") as opened:
        yield opened
