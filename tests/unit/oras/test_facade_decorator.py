from __future__ import annotations

import pytest

from oras.container import Container
from oras.decorator import MAX_WAIT, ensure_container, retry
from oras_core.errors import TlsError, TransportError


class Client:
    def get_container(self, name):
        return name if isinstance(name, Container) else Container(name)

    @ensure_container
    def push(self, container, archives=()):
        """Push."""
        return container, archives

    @ensure_container
    def download_layers(self, download_dir, package, media_type):
        return download_dir, package, media_type

    @ensure_container
    def show(self, thing, *, verbose=False):
        return thing, verbose

    @ensure_container
    def anything(self, first="h.io/default", **kwargs):
        return first, kwargs


def is_parsed(value, uri="h.io/a:v1"):
    return isinstance(value, Container) and value.uri == uri


@pytest.mark.parametrize(
    "call",
    [lambda c: c.push("h.io/a:v1", ["x"]), lambda c: c.push(archives=["x"], container="h.io/a:v1")],
)
def test_positional_and_keyword_targets_are_parsed(call):
    container, archives = call(Client())
    assert is_parsed(container)
    assert archives == ["x"]


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.download_layers("/tmp/x", "h.io/a:v1", "t/t"),
        lambda c: c.download_layers("/tmp/x", media_type="t/t", package="h.io/a:v1"),
        lambda c: c.download_layers(download_dir="/tmp/x", package="h.io/a:v1", media_type="t/t"),
    ],
)
def test_custom_pull_of_the_specification_keeps_its_folder_argument(call):
    download_dir, package, media_type = call(Client())
    assert download_dir == "/tmp/x"
    assert is_parsed(package)
    assert media_type == "t/t"


@pytest.mark.parametrize(
    "call", [lambda c: c.show("h.io/a:v1"), lambda c: c.show(thing="h.io/a:v1")]
)
def test_first_parameter_is_the_target_by_default(call):
    thing, verbose = call(Client())
    assert is_parsed(thing)
    assert verbose is False


def test_parameter_named_container_is_always_parsed():
    assert Client().anything() == ("h.io/default", {})
    first, kwargs = Client().anything("left", container="h.io/a:v1")
    assert first == "left"
    assert is_parsed(kwargs["container"])


def test_container_is_passed_on_and_function_metadata_is_kept():
    container = Container("h.io/a:v1")
    assert Client().push(container)[0] is container
    assert Client.push.__name__ == "push"
    assert Client.push.__doc__ == "Push."


# --- retry --------------------------------------------------------------------------------


class Answer:
    def __init__(self, status_code, **headers):
        self.status_code = status_code
        self.headers = headers


@pytest.fixture
def waits(monkeypatch):
    waited = []
    monkeypatch.setattr("oras.decorator.sleep", waited.append)
    monkeypatch.setattr("random.random", lambda: 0.0)
    return waited


def calls(*outcomes, **settings):
    """Return a decorated function that has these outcomes, and the list of those it had."""
    had = []

    @retry(**settings)
    def call():
        outcome = outcomes[len(had)]
        had.append(outcome)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return call, had


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_retryable_status_is_retried(waits, status):
    call, had = calls(Answer(status), Answer(200))
    assert call().status_code == 200
    assert len(had) == 2
    assert waits == [2]


@pytest.mark.parametrize("status", [200, 201, 307, 400, 401, 403, 404, 416, 501, 505])
def test_other_status_is_not_retried(waits, status):
    call, had = calls(Answer(status))
    assert call().status_code == status
    assert len(had) == 1
    assert waits == []


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        TransportError("GET", "https://h.io/v2/", "reset"),
    ],
)
def test_connection_error_is_retried(waits, error):
    call, _ = calls(error, Answer(200))
    assert call().status_code == 200
    assert waits == [2]


@pytest.mark.parametrize(
    "error",
    [
        TlsError("GET", "https://h.io/v2/", "self-signed certificate"),
        FileNotFoundError("x"),
        ImportError("boto3"),
        ValueError("Cannot respond to request for authentication."),
    ],
)
def test_permanent_error_is_not_retried(waits, error):
    call, had = calls(error, Answer(200))
    with pytest.raises(type(error)):
        call()
    assert len(had) == 1
    assert waits == []


def foreign(name, *bases):
    return type(name, bases or (OSError,), {"__module__": "requests.exceptions"})


def test_errors_of_requests_are_classified_by_class_name(waits):
    broken = foreign("ConnectionError")
    call, _ = calls(broken(), Answer(200))
    assert call().status_code == 200
    call, _ = calls(foreign("SSLError", broken)(), Answer(200))
    with pytest.raises(OSError):  # noqa: PT011 - its class exists in this test only
        call()


def test_last_response_or_error_is_returned_or_raised(waits):
    call, had = calls(*(Answer(503) for _ in range(3)), attempts=3, timeout=1)
    assert call().status_code == 503
    assert len(had) == 3
    assert waits == [1, 2]
    call, had = calls(*(TimeoutError(str(at)) for at in range(3)), attempts=3)
    with pytest.raises(TimeoutError, match="2"):
        call()


@pytest.mark.parametrize("attempts", [0, 1])
def test_zero_attempts_still_call_once(waits, attempts):
    call, had = calls(Answer(500), attempts=attempts)
    assert call().status_code == 500
    assert len(had) == 1


def test_retry_after_is_respected_up_to_a_limit(waits):
    call, _ = calls(Answer(429, **{"Retry-After": "7"}), Answer(200))
    call()
    assert waits == [7]
    call, had = calls(Answer(429, **{"Retry-After": "86400"}), Answer(200))
    assert call().status_code == 429
    assert len(had) == 1


def test_total_wait_is_bounded(waits):
    call, _ = calls(*(Answer(500) for _ in range(50)), attempts=50)
    call()
    assert sum(waits) <= MAX_WAIT
    waits.clear()
    call, _ = calls(*(TimeoutError() for _ in range(50)), attempts=50)
    with pytest.raises(TimeoutError):
        call()
    assert sum(waits) <= MAX_WAIT


def test_value_that_is_not_a_response_is_returned(waits):
    call, _ = calls("text")
    assert call() == "text"


def test_retry_log_omits_the_error_message(waits, caplog):
    caplog.set_level("INFO", "oras")
    call, _ = calls(ConnectionError("GET /blob?X-Amz-Signature=s3cret"), Answer(200))
    call()
    assert "Retrying in 2 seconds - error: ConnectionError" in caplog.text
    assert "s3cret" not in caplog.text
