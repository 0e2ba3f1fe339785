"""The requests that a docker-registry process reports in its JSON log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from attrs import frozen


@frozen
class LoggedRequest:
    """One request and the status it was answered with.

    `remote_address` holds the client's port too, so that different values mean different
    connections.
    """

    method: str
    path: str
    query: str
    status: int
    user_agent: str
    remote_address: str


def read_requests(lines: Iterable[bytes]) -> list[LoggedRequest]:
    """Return the requests in the order in which they were answered.

    A request that matches no route of the distribution API leaves no trace in the log.
    """
    requests = []
    for line in lines:
        if not line.endswith(b"\n"):
            continue  # still being written
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a Go panic or a fatal error is plain text
        status = _answered_status(record)
        if status is not None:
            uri = urlsplit(record["http.request.uri"])
            requests.append(
                LoggedRequest(
                    method=record["http.request.method"],
                    path=uri.path,
                    query=uri.query,
                    status=status,
                    user_agent=record.get("http.request.useragent", ""),
                    remote_address=record["http.request.remoteaddr"],
                )
            )
    return requests


def _answered_status(record: dict[str, object]) -> int | None:
    message = str(record.get("msg", ""))
    if message.startswith("response completed"):
        return int(str(record["http.response.status"]))
    if message.startswith("error authorizing context"):
        return 401  # a challenge is the one answer that gets no "response completed"
    return None


def listening_port(lines: Iterable[bytes]) -> int | None:
    """Return the port that the process reports to listen on, or None if it does not yet."""
    for line in lines:
        if line.endswith(b"\n") and b'"listening on ' in line:
            address = json.loads(line)["msg"].removeprefix("listening on ").removesuffix(", tls")
            return int(address.rpartition(":")[2])
    return None
