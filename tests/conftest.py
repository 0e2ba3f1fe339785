"""No test reads or writes what belongs to the person who runs it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

from support.secret_scan import no_secret_shows as _no_secret_shows  # noqa: F401 - watches tests

# How long an example takes says more of the machine than of the code; the same examples on
# every run in CI, so that a failure there belongs to the change that shows it.
hypothesis.settings.register_profile("tests", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("tests")

# Where this library, and the programs that tests start, look for configuration.
_PERSONAL = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_SECRET_ACCESS_KEY",
    "CURL_CA_BUNDLE",
    "DOCKER_CONFIG",
    "ORAS_CONFIG",
    "ORAS_CREDENTIAL_STORES",
    "ORAS_PASS",
    "ORAS_REGISTRY",
    "ORAS_TOKEN",
    "ORAS_USER",
    "REGISTRY_AUTH_FILE",
    "REQUESTS_CA_BUNDLE",
    "SOURCE_DATE_EPOCH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
)


@pytest.fixture(scope="session", autouse=True)
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home without configuration, and loopback addresses never by way of a proxy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in _PERSONAL:
            patch.delenv(name, raising=False)
        # What a pull without `outdir` leaves to its caller goes with the other temporary files.
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "localhost,127.0.0.1,::1")
        yield
