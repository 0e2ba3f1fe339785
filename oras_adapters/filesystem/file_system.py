"""Artifacts by the interface of fsspec: `oras://HOST/REPOSITORY:TAG/PATH`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from fsspec.spec import AbstractFileSystem, make_instance

from oras_adapters.client.base import Credentials, as_platform, new_parts
from oras_adapters.client.client import Client
from oras_adapters.client.streams import LayerStream
from oras_adapters.filesystem.artifact import ArtifactFile, ArtifactFiles
from oras_adapters.settings.settings import Settings
from oras_core.errors import NotFoundError, UnsupportedError
from oras_core.forks import ForkSafeLock, PerProcess
from oras_core.model.limits import Limits
from oras_core.ports.http import HttpTransport

__all__ = ["OrasFileSystem"]

MERGED_GAP: Final = 64 * 1024
"""Bytes between two ranges that are fetched along with both, rather than by two requests."""


class OrasFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """A file system of fsspec over artifacts. Thread-safe, fork-safe, and can be pickled.

    The titles of an artifact are paths, `oras://ghcr.io/team/data:v3/train/part-0.parquet`,
    and packed folders are folders. A repository without a tag lists its tags as folders. An
    artifact stays the one that its tag named when it was first used, in pickled copies too,
    until `invalidate_cache`.

    It is read-only, but that `put` of a folder to a tag is a push.

    Opened files are read by ranges, which cannot be verified: see `Client.open`.
    """

    protocol: ClassVar[str] = "oras"
    root_marker: ClassVar[str] = ""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        credentials: Credentials | None = None,
        transport: HttpTransport | None = None,
        timeout: float | tuple[float, float] | None = None,
        concurrency: int | None = None,
        limits: Limits | None = None,
        platform: str | None = None,
        pins: Mapping[str, str] | None = None,
        **storage_options: Any,  # noqa: ANN401 - those of fsspec
    ) -> None:
        """Compose a file system. Nothing is sent yet.

        Args:
            settings: as for `Client`, and so are the following.
            credentials: likewise.
            transport: likewise.
            timeout: likewise.
            concurrency: likewise.
            limits: likewise.
            platform: of an index, which manifest is meant.
            pins: the digests of places that were used already.
            storage_options: those of fsspec, such as `skip_instance_cache`.

        Raises:
            InvalidConfigurationError: if a setting cannot be used.
        """
        super().__init__(**storage_options)
        self._parts = new_parts(
            settings,
            credentials=credentials,
            transport=transport,
            timeout=timeout,
            concurrency=concurrency,
            limits=limits,
        )
        self._client = Client.over(self._parts)
        self._platform = as_platform(platform)
        self._pins: dict[str, str] = dict(pins or {})
        self._artifacts: PerProcess[dict[str, ArtifactFiles]] = PerProcess(dict)
        self._lock = ForkSafeLock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the options, and which artifacts the tags named."""
        options = {**self.storage_options, "pins": dict(self._pins)}
        return make_instance, (type(self), self.storage_args, options)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Resolve tags again: those of one artifact, or all."""
        place = None if path is None else _split(_stripped(path))[0]
        with self._lock:
            artifacts = self._artifacts.get()
            for known in [place] if place else [*artifacts]:
                self._pins.pop(known, None)
                artifacts.pop(known, None)

    def ls(self, path: str, detail: bool = True, **_: object) -> list[Any]:  # noqa: FBT001, FBT002 - fsspec's
        """List what is directly in a folder: of an artifact, a repository or a registry."""
        path = _stripped(path)
        with _file_errors(path):
            entries = list(self._entries(path))
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **_: object) -> dict[str, Any]:
        """Describe a file or folder by `name`, `size`, `type` and `digest`."""
        path = _stripped(path)
        place, inner = _split(path)
        with _file_errors(path):
            if inner is not None:
                return _described(place, self._artifact(place).find(inner))
            if "/" in path:
                next(iter(self._client.tags(path)), None)
            return _folder(path)

    def _open(self, path: str, mode: str = "rb", **_: object) -> LayerStream:
        if mode != "rb":
            raise UnsupportedError(f"open {path} for writing", "put() of a folder to a tag pushes")
        path = _stripped(path)
        place, inner = _split(path)
        with _file_errors(path):
            if inner is None:
                raise UnsupportedError(f"open {path}", "it is a repository; add a tag and a path")
            return self._artifact(place).open(inner)

    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: int | Sequence[int],
        ends: int | Sequence[int],
        max_gap: int | None = None,
        on_error: str = "return",
        **_: object,
    ) -> list[Any]:
        """Return ranges of files; ranges that are close to one another are fetched as one."""
        gap = MERGED_GAP if max_gap is None else max_gap
        begins = [starts] * len(paths) if isinstance(starts, int) else starts
        stops = [ends] * len(paths) if isinstance(ends, int) else ends
        found: list[Any] = [b""] * len(paths)
        by_path: dict[str, list[int]] = {}
        for number, path in enumerate(paths):
            by_path.setdefault(path, []).append(number)
        for path, numbers in by_path.items():
            try:
                with self._open(path) as file:
                    for start, stop, group in _merged(begins, stops, numbers, file.size, gap):
                        file.seek(start)
                        content = file.read(stop - start)
                        for number in group:
                            own = slice(*_bounds(begins[number], stops[number], file.size))
                            found[number] = content[own.start - start : own.stop - start]
            except Exception as error:
                if on_error != "return":
                    raise
                for number in numbers:
                    found[number] = error
        return found

    def put(
        self,
        lpath: str | os.PathLike[str],
        rpath: str,
        recursive: bool = False,  # noqa: FBT001, FBT002, ARG002 - fsspec's
        **options: Any,  # noqa: ANN401 - those of `Client.push`
    ) -> None:
        """Push a local folder, or a file, as an artifact. Each file becomes a layer.

        Args:
            lpath: the folder or the file.
            rpath: a place with a tag, such as `oras://localhost:5001/team/data:v4`.
            recursive: a folder is pushed with all that is in it anyway.
            options: those of `Client.push`, such as `artifact_type` and `annotations`.
        """
        place, inner = _split(_stripped(rpath))
        if inner is None or inner:
            reason = "files are written as a whole artifact; name a tag, as in HOST/REPOSITORY:TAG"
            raise UnsupportedError(f"put to {rpath}", reason)
        known = {
            name: options[name] for name in ("artifact_type", "annotations") if name in options
        }
        self._client.push(place, _titled(Path(lpath)), **known)
        self.invalidate_cache(place)

    def ukey(self, path: str) -> str:
        """Return what changes when the file does: its path in an artifact of one digest."""
        place, inner = _split(_stripped(path))
        return f"{self._artifact(place).manifest.digest}/{inner}" if inner else place

    def checksum(self, path: str) -> str:
        """Return the same as `ukey`."""
        return self.ukey(path)

    def _artifact(self, place: str) -> ArtifactFiles:
        with self._lock:
            artifacts = self._artifacts.get()
            if place not in artifacts:
                pinned = self._pins.get(place)
                repository = place.partition("@")[0]
                named = f"{repository}@{pinned}" if pinned else place
                artifacts[place] = ArtifactFiles(self._parts, named, self._platform)
                self._pins[place] = str(artifacts[place].manifest.digest)
            return artifacts[place]

    def _entries(self, path: str) -> Iterator[dict[str, Any]]:
        place, inner = _split(path)
        if inner is not None:
            artifact = self._artifact(place)
            found = artifact.find(inner)
            listed = [found] if found.kind == "file" else artifact.list(inner)
            yield from (_described(place, file) for file in listed)
        elif "/" in path:
            yield from (_folder(f"{path}:{tag}") for tag in self._client.tags(path))
        else:
            yield from (_folder(f"{path}/{name}") for name in self._client.repositories(path))


def _stripped(path: str) -> str:
    return path.removeprefix("oras://").rstrip("/")


def _split(path: str) -> tuple[str, str | None]:
    """Return the place of an artifact, and a path in it; None if no artifact is named."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        if ":" in parts[count] or "@" in parts[count]:
            return "/".join(parts[: count + 1]), "/".join(parts[count + 1 :])
    return path, None


def _described(place: str, file: ArtifactFile) -> dict[str, Any]:
    name = f"{place}/{file.path}" if file.path else place
    return {"name": name, "size": file.size, "type": file.kind, "digest": file.digest}


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory", "digest": ""}


def _titled(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.name: path}
    return {
        found.relative_to(path).as_posix(): found
        for found in sorted(path.rglob("*"))
        if found.is_file()
    }


def _bounds(start: int | None, stop: int | None, size: int) -> tuple[int, int]:
    first, last, _ = slice(start, stop).indices(size)
    return first, max(first, last)


def _merged(
    starts: Sequence[int], stops: Sequence[int], numbers: Sequence[int], size: int, gap: int
) -> Iterator[tuple[int, int, list[int]]]:
    """Yield ranges that cover those of the given numbers, and which they cover."""
    bounds = {number: _bounds(starts[number], stops[number], size) for number in numbers}
    group: list[int] = []
    first = last = 0
    for number in sorted(numbers, key=bounds.__getitem__):
        start, stop = bounds[number]
        if group and start > last + gap:
            yield first, last, group
            group = []
        if not group:
            first = last = start
        group.append(number)
        last = max(last, stop)
    if group:
        yield first, last, group


@contextmanager
def _file_errors(path: str) -> Iterator[None]:
    """Let what is absent be a FileNotFoundError, as programs with files expect."""
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(2, str(error), path) from error
