"""Select the repositories, tags and artifacts of a mirror."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from attrs import field, frozen, validators

from oras_core.errors import InvalidInputError
from oras_core.mirroring.job import Choice
from oras_core.model.globs import PathPattern, any_of
from oras_core.model.platform import Platform

__all__ = ["Candidate", "Selection", "Selector", "version_order"]


@frozen
class Selection:
    """Rules for the artifacts to mirror. An artifact must meet all of them.

    Attributes:
        repositories: names or patterns of repositories, such as `library/*`; all if empty.
        exclude_repositories: names or patterns of repositories that are left out.
        tags: names or patterns of tags; all if empty.
        exclude_tags: names or patterns of tags that are left out.
        newest: the number of tags of each repository that are copied; None for all.
        newest_by: `created` sorts tags by the date of their artifact, `version` by the
            numbers in their names.
        since: artifacts that were created earlier are left out; None for no limit.
        artifact_types: artifact types to copy; all if empty. The type of an image is the
            media type of its config.
        platform: of an index, only the manifest for this platform is copied.
        referrer_types: artifact types of the referrers to copy; None for all, an empty tuple
            for none.
    """

    repositories: tuple[str, ...] = ()
    exclude_repositories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    newest: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    newest_by: Literal["created", "version"] = "created"
    since: datetime | None = None
    artifact_types: tuple[str, ...] = ()
    platform: Platform | None = None
    referrer_types: tuple[str, ...] | None = None

    def __attrs_post_init__(self) -> None:
        """Check the date.

        Raises:
            InvalidInputError: if it has no time zone.
        """
        if self.since is not None and self.since.tzinfo is None:
            raise InvalidInputError(
                str(self.since), "the date has no time zone; add one, as in UTC"
            )

    @property
    def choice(self) -> Choice:
        """The part of every artifact that is copied."""
        return Choice(self.platform, self.referrer_types)

    @property
    def needs_manifests(self) -> bool:
        """Whether a manifest must be read to tell whether its artifact is selected."""
        by_date = self.newest is not None and self.newest_by == "created"
        return by_date or self.since is not None or bool(self.artifact_types)


def _is_pattern(name: str) -> bool:
    return re.search(r"[*?\[]", name) is not None


@frozen
class Candidate:
    """A tag, and what its manifest says about its artifact.

    Attributes:
        tag: the tag.
        created: the date of the artifact; None if it has none.
        artifact_type: its artifact type; None if it has none.
    """

    tag: str
    created: datetime | None = None
    artifact_type: str | None = None


class Selector:
    """A selection with its patterns compiled."""

    def __init__(self, selection: Selection) -> None:
        """Compile the patterns of `selection`."""
        self.selection = selection
        self._repositories = _Filter(selection.repositories, selection.exclude_repositories)
        self._tags = _Filter(selection.tags, selection.exclude_tags)

    @property
    def named_repositories(self) -> tuple[str, ...] | None:
        """The repositories, if all are names: then no catalog is needed. None for patterns."""
        names = self.selection.repositories
        if not names or any(map(_is_pattern, names)):
            return None
        return tuple(filter(self.includes_repository, names))

    def includes_repository(self, name: str) -> bool:
        """Tell whether a repository is mirrored."""
        return self._repositories.admits(name)

    def includes_tag(self, name: str) -> bool:
        """Tell whether the name of a tag is selected."""
        return self._tags.admits(name)

    def includes(self, candidate: Candidate) -> bool:
        """Tell whether an artifact is selected, by its date and type.

        An artifact without a date counts as older than any date.
        """
        types, since = self.selection.artifact_types, self.selection.since
        if types and candidate.artifact_type not in types:
            return False
        return since is None or (candidate.created is not None and candidate.created >= since)

    def newest(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return the newest candidates, as many as are selected, newest first."""
        by_version = self.selection.newest_by == "version"
        epoch = datetime.min.replace(tzinfo=UTC)

        def order(candidate: Candidate) -> tuple[object, ...]:
            version = version_order(candidate.tag)
            return (version,) if by_version else (candidate.created or epoch, version)

        return sorted(candidates, key=order, reverse=True)[: self.selection.newest]


class _Filter:
    """Names to include, all if there are none, and names to exclude."""

    def __init__(self, included: Iterable[str], excluded: Iterable[str]) -> None:
        self._included, self._excluded = _Names(included), _Names(excluded)

    def admits(self, name: str) -> bool:
        return (self._included.is_empty or name in self._included) and name not in self._excluded


class _Names:
    """Names and patterns. A name without a wildcard matches only itself."""

    def __init__(self, texts: Iterable[str]) -> None:
        texts = tuple(texts)
        self._names = frozenset(text for text in texts if not _is_pattern(text))
        self._patterns: tuple[PathPattern, ...] = any_of(filter(_is_pattern, texts))
        self.is_empty: bool = not texts

    def __contains__(self, name: str) -> bool:
        return name in self._names or any(pattern.matches(name) for pattern in self._patterns)


def version_order(tag: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts tags as versions: numbers count as numbers.

    A pre-release such as `1.2-rc1` comes before `1.2` (semver 2.0, section 11).
    """
    parts: list[tuple[int, int, str]] = []
    for separator, number, word in re.findall(r"([-~]?)(?:([0-9]+)|([A-Za-z]+))", tag):
        if number:
            parts.append((2, int(number), ""))
        elif separator and parts:
            parts.append((0, 0, word.lower()))
        elif word.lower() != "v" or parts:
            parts.append((1, 0, word.lower()))
    return (*parts, (1, -1, ""))
