"""Who may listen on one address, and who on a socket of this user."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from pep.errors import StartError
from pep.listener import listen, listen_privately, reserve


def free() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_an_address_is_one_listeners() -> None:
    """Unless it is shared."""
    address = free()
    with listen(address), pytest.raises(StartError, match=r"in use.*\[pep\] listen"):
        listen(address)


def test_a_shared_address_is_for_those_who_share_it() -> None:
    """Each gets some of its connections; whoever wants it alone does not get it."""
    address = free()
    with reserve(address), listen(address, is_shared=True) as one, listen(address, is_shared=True) as other:  # fmt: skip
        assert one.getsockname() == other.getsockname()
        with pytest.raises(StartError, match="in use"):
            listen(address)


@pytest.mark.parametrize("is_shared", [False, True])
def test_an_address_where_somebody_listens_is_not_reserved(is_shared: bool) -> None:
    """Half of the calls would go to a gateway with other rules."""
    address = free()
    with listen(address, is_shared=is_shared), pytest.raises(StartError, match="in use"):
        reserve(address)


def test_a_reserved_address_takes_no_connection_by_itself() -> None:
    """Nobody waits there for a worker that is not there yet."""
    address = free()
    host, _, port = address.partition(":")
    with reserve(address):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=1)
        with listen(address, is_shared=True):
            socket.create_connection((host, int(port)), timeout=1).close()


def test_an_address_of_another_machine_is_an_error() -> None:
    """In the words of the system."""
    with pytest.raises(StartError, match="cannot listen on 192"):
        reserve("192.0.2.1:1")


def test_a_private_socket_is_for_this_user_and_takes_the_place_of_one_left_behind(
    tmp_path: Path,
) -> None:
    """A worker that was killed leaves its socket."""
    path = tmp_path / "worker-0.sock"
    listen_privately(path).close()
    with listen_privately(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_private_socket_in_no_folder_is_an_error(tmp_path: Path) -> None:
    """It names the place."""
    with pytest.raises(StartError, match="nowhere"):
        listen_privately(tmp_path / "nowhere" / "worker-0.sock")
