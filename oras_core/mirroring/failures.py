"""Classify the errors of jobs: which registry failed, and whether the job may succeed later."""

from __future__ import annotations

from urllib.parse import urlsplit

from oras_core.errors import CopyError, OrasError, RegistryError, TransportError
from oras_core.mirroring.job import Job
from oras_core.mirroring.records import Failure
from oras_core.registry.transports.retries import is_retryable

__all__ = ["failure_of"]


def failure_of(error: OrasError, job: Job) -> Failure:
    """Return the failure of a job."""
    cause = error.__cause__ if isinstance(error, CopyError) else error
    is_passing, host = False, ""
    if isinstance(cause, RegistryError):
        is_passing, host = is_retryable(cause.status), _host(cause.url, job)
    elif isinstance(cause, TransportError):
        is_passing, host = cause.retryable, _host(cause.url, job)
    notes = getattr(error, "__notes__", ())
    message = "; ".join([str(error), *notes])
    return Failure(type(cause or error).__name__, message, host, is_passing)


def _host(url: str, job: Job) -> str:
    """Return the registry of the job that a URL belongs to, else the host of the URL."""
    netloc = urlsplit(url).netloc
    # The API of a registry may have a longer name: docker.io has registry-1.docker.io.
    for host in (job.source_host, job.destination_host):
        if netloc == host or netloc.endswith(f".{host}"):
            return host
    return netloc
