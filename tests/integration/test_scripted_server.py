"""The scripted server of the tests, with errors in scripts and with high descriptors."""

from __future__ import annotations

import fcntl
import resource
import socket

import pytest

from support.scripted_server import ScriptedServer


def broken(connection):
    raise AssertionError("the script is wrong")


def test_error_in_a_script_closes_the_connection_and_is_raised():
    with (
        pytest.raises(AssertionError, match="the script is wrong"),
        ScriptedServer(broken) as server,
        socket.create_connection(("127.0.0.1", server.port), 10) as client,
    ):
        assert client.recv(1) == b""


@pytest.fixture
def many_open_files():
    low, high = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(low, min(2048, high)), high))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, high))


@pytest.mark.usefixtures("many_open_files")
def test_relay_works_above_the_limit_of_select():
    """A process without the interpreter lock collects garbage later, so it has more open files."""
    with (
        ScriptedServer(lambda connection: connection.answer(b"hello")) as target,
        ScriptedServer(relay_by_high_descriptor(target.address)) as server,
        socket.create_connection(("127.0.0.1", server.port), 10) as client,
    ):
        assert client.recv(4).startswith(b"HTTP")


def relay_by_high_descriptor(address):
    def relay(connection):
        plain = connection._socket
        connection._socket = socket.socket(fileno=fcntl.fcntl(plain, fcntl.F_DUPFD_CLOEXEC, 1100))
        connection._socket.settimeout(10)
        plain.close()
        connection.relay_to(address)

    return relay
