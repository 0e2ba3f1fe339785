"""A loopback server that does to each connection what a test writes down, byte by byte."""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable

from attrs import frozen

from oras_adapters.http.tls import wrap_connected

PATIENCE = 10.0


@frozen
class RawRequest:
    """One request as it came over the wire; `body` as it was framed."""

    line: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """One accepted connection, in the hands of a script."""

    def __init__(self, sock: socket.socket, ended: threading.Event) -> None:
        self._socket = sock
        self._file = sock.makefile("rb")
        self._ended = ended

    def read_head(self) -> RawRequest | None:
        """Read up to the empty line; None where the client hung up."""
        line = self._file.readline().decode().strip()
        if not line:
            return None
        headers = {}
        while field := self._file.readline().decode().strip():
            name, _, value = field.partition(": ")
            headers[name.lower()] = value
        return RawRequest(line, headers, b"")

    def read_request(self) -> RawRequest | None:
        """Read a request with its body."""
        head = self.read_head()
        if head is None:
            return None
        if head.headers.get("transfer-encoding") == "chunked":
            body = b""
            while not body.endswith(b"0\r\n\r\n"):
                body += self._file.readline()
        else:
            body = self._file.read(int(head.headers.get("content-length", 0)))
        return RawRequest(head.line, head.headers, body)

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes, fewer where the client hung up."""
        return self._file.read(size)

    def read_line(self) -> bytes:
        """Read up to the end of a line; nothing where the client hung up."""
        return self._file.readline()

    def send(self, data: bytes) -> None:
        """Send `data`."""
        self._socket.sendall(data)

    def answer(self, body: bytes = b"", status: str = "200 OK", *fields: str) -> None:
        """Send a well-formed answer."""
        head = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"]
        self.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def relay_to(self, address: str) -> None:
        """Pass everything on to another server and back, until either hangs up."""
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as other:
            _relay(self._socket, other)

    def wait(self, seconds: float | None = None) -> bool:
        """Do nothing until the test ends, or for some seconds; True if it has ended."""
        return self._ended.wait(PATIENCE if seconds is None else seconds)

    def hang_up_is_seen(self) -> bool:
        """Wait until the client closes the connection."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:  # it left something unread
            return True

    def reset(self) -> None:
        """Break the connection off, without the goodbye of TCP."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()


def _relay(one: socket.socket, other: socket.socket) -> None:
    # By one thread: two must not read and write one TLS connection at the same time.
    across = {one: other, other: one}
    try:
        while ready := _readable(list(across)):
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                across[source].sendall(data)
    except OSError:
        return


def _readable(sockets: list[socket.socket]) -> list[socket.socket]:
    # What TLS has decrypted already shows on no file descriptor.
    pending = [one for one in sockets if isinstance(one, ssl.SSLSocket) and one.pending()]
    if pending:
        return pending
    # `select.select` refuses descriptors from 1024 on.
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(PATIENCE)]


Script = Callable[[Connection], None]


class ScriptedServer:
    """Runs one script for each connection; the last one for all that follow.

    An error in a script, a failed assertion for instance, is raised when the block is left.
    """

    def __init__(
        self, *scripts: Script, tls: ssl.SSLContext | None = None, buffer: int | None = None
    ) -> None:
        """Listen; `buffer` is how many bytes the system may keep unread, roughly."""
        self._scripts = scripts
        self._tls = tls
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        if buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.port = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{self.address}"
        self.connections = 0

    def __enter__(self) -> ScriptedServer:
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, _: object, error: object, __: object) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._accepting.join()
        for thread in self._threads:
            thread.join()
        if self._errors and error is None:
            raise self._errors[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(script, sock))
            self._threads.append(thread)
            thread.start()

    def _run(self, script: Script, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = wrap_connected(self._tls, sock, server_side=True)
            connection = Connection(sock, self._ended)
            try:
                script(connection)
            finally:
                connection.close()
        except (ConnectionError, ssl.SSLError):
            sock.close()  # the client hung up, or does not trust us
        except Exception as error:  # noqa: BLE001 - raised again in the test's thread
            self._errors.append(error)
            sock.close()
