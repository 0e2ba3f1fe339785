"""The base of all verbs of the client: its parts, places and copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TypeVar, overload

from attrs import evolve

from oras_adapters.client.advice import advising
from oras_adapters.client.places import Destination, Located, Places, Source
from oras_adapters.client.progress import Watch, watch_for
from oras_adapters.composition import Parts
from oras_adapters.settings.settings import Settings, chosen_settings
from oras_core.errors import InvalidConfigurationError
from oras_core.forks import ClosedOnExit, ConnectionHolder
from oras_core.model.limits import Limits
from oras_core.ports.content import ReadOnlyTarget, Target
from oras_core.ports.credentials import Credential, CredentialStore
from oras_core.ports.http import HttpTransport
from oras_core.ports.progress import ProgressListener

if TYPE_CHECKING:
    from oras_core.copying.options import CopyOptions
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.platform import Platform
    from oras_core.stores.cache import ContentCache

__all__ = ["ClientBase", "Credentials", "Texts", "all_of", "as_platform", "new_parts"]

ItemT = TypeVar("ItemT", bound="Descriptor | Platform")

Texts = str | Iterable[str]
"""One text, or several. A `str` is one text."""

Credentials = CredentialStore | Mapping[str, Credential | tuple[str, str]]
"""A credential store, or a mapping from registries to a `Credential`, or to a name and password."""


class ClientBase(ConnectionHolder, ClosedOnExit):
    """The base class of the verbs of `Client`."""

    _in_a_worker = "Make one in the worker, or send it a Composition and call `client()` there."

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        credentials: Credentials | None = None,
        transport: HttpTransport | None = None,
        timeout: float | tuple[float, float] | None = None,
        concurrency: int | None = None,
        progress: bool | ProgressListener | Watch | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Compose a client. Nothing is sent yet.

        Args:
            settings: the settings; by default those of the user's machine: environment
                variables and the settings file.
            credentials: a store to use instead of the stores that the settings name; or
                credentials by registry, each as a pair of user name and password or as a
                `Credential`.
            transport: sends single requests, for all hosts, in place of the library's own.
                Redirects, retries and credentials are added. The caller closes it.
            timeout: seconds to wait for a connection and for each read and write; or both,
                one after the other. By default as the settings say.
            concurrency: blobs moved at the same time. By default as the settings say.
            progress: a listener; or True for a bar on a terminal, and lines of the log
                elsewhere; or a function that returns a listener for each operation.
            limits: bounds of what registries send and of what is unpacked.

        Raises:
            InvalidConfigurationError: if a setting cannot be used.
        """
        parts = new_parts(
            settings,
            credentials=credentials,
            transport=transport,
            timeout=timeout,
            concurrency=concurrency,
            limits=limits,
        )
        self._use(parts, progress)

    @classmethod
    def over(cls, parts: Parts, *, progress: bool | ProgressListener | Watch | None = None) -> Self:
        """Return a client over parts of the caller. Closing the client closes the parts.

        Args:
            parts: those of a composition.
            progress: as for the client.
        """
        client = cls.__new__(cls)
        client._use(parts, progress)  # noqa: SLF001 - it is our own
        return client

    def _use(self, parts: Parts, progress: bool | ProgressListener | Watch | None) -> None:  # noqa: FBT001
        self._parts = parts
        self._places = Places(parts)
        self._watch = watch_for(progress)

    def __repr__(self) -> str:
        """Show the class; settings and credentials stay out."""
        return f"<{type(self).__name__}>"

    @property
    def cache(self) -> ContentCache | None:
        """The cache of fetched blobs, to inspect and prune.

        None if the settings name no folder for one.
        """
        return self._parts.cache

    def close(self) -> None:
        """Close the connections. A client that is used again opens new ones."""
        self._parts.close()

    @contextmanager
    def _reading(self, source: Source) -> Iterator[Located[ReadOnlyTarget]]:
        with advising(), self._places.reading(source) as located:
            yield located

    @contextmanager
    def _writing(self, destination: Destination) -> Iterator[Located[Target]]:
        with advising(), self._places.writing(destination) as located:
            yield located

    @contextmanager
    def _copying(self, platform: str | Platform | None = None) -> Iterator[CopyOptions]:
        """Give the options of one operation, with the progress listener of this client."""
        with self._watch.watching() as listener:
            yield evolve(self._options(platform), listener=listener)

    def _options(self, platform: str | Platform | None = None) -> CopyOptions:
        from oras_core.copying.options import CopyOptions  # noqa: PLC0415 - not all copy

        return CopyOptions(
            concurrency=self._parts.settings.transfer.concurrency,
            manifest_size=self._parts.limits.manifest_size,
            platform=as_platform(platform),
        )


def new_parts(
    settings: Settings | None = None,
    *,
    credentials: Credentials | None = None,
    transport: HttpTransport | None = None,
    timeout: float | tuple[float, float] | None = None,
    concurrency: int | None = None,
    limits: Limits | None = None,
) -> Parts:
    """Return the parts of a client. The arguments are those of `Client`.

    Raises:
        InvalidConfigurationError: if a setting cannot be used.
    """
    chosen = chosen_settings(settings, timeout=timeout, concurrency=concurrency)
    return Parts(chosen, credentials=_store(credentials), transport=transport, limits=limits)


def _store(credentials: Credentials | None) -> CredentialStore | None:
    if not isinstance(credentials, Mapping):
        return credentials
    from oras_core.credentials import StaticCredentials  # noqa: PLC0415 - few give them

    return StaticCredentials({name: _credential(name, one) for name, one in credentials.items()})


def _credential(registry: str, given: object) -> Credential:
    if isinstance(given, Credential):
        return given
    if isinstance(given, tuple | list) and len(given) == 2:
        return Credential(*given)
    reason = f"that of {registry!r} is neither a Credential nor a pair of user name and password"
    raise InvalidConfigurationError("credentials", reason)


@overload
def all_of(items: Texts) -> tuple[str, ...]: ...
@overload
def all_of(items: str | ItemT | Iterable[str | ItemT]) -> tuple[str | ItemT, ...]: ...
def all_of(items: str | ItemT | Iterable[str | ItemT]) -> tuple[str | ItemT, ...]:
    """Return one item, or several, as a tuple."""
    return tuple(items) if isinstance(items, Iterable) and not isinstance(items, str) else (items,)


def as_platform(platform: str | Platform | None) -> Platform | None:
    """Return the platform that a text such as `linux/arm64` means.

    Raises:
        InvalidPlatformError: for another form.
    """
    from oras_core.model.platform import Platform  # noqa: PLC0415 - few name one

    return Platform.parse(platform) if isinstance(platform, str) else platform
