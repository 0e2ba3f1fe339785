"""Hostile tar archives: anything that `tarfile` can be made to write."""

from __future__ import annotations

import gzip
import io
import tarfile

REGULAR = tarfile.REGTYPE


def member(name, content=b"", *, type=REGULAR, mode=0o644, link="", size=None, **fields):  # noqa: A002
    """Return a header and its content; `size` lies about the content's length."""
    info = tarfile.TarInfo(name)
    info.type = type
    info.mode = mode
    info.linkname = link
    info.size = len(content) if size is None else size
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def directory(name, **fields):
    return member(name, type=tarfile.DIRTYPE, mode=0o755, **fields)


def symlink(name, target, **fields):
    return member(name, type=tarfile.SYMTYPE, link=target, **fields)


def hardlink(name, target, **fields):
    return member(name, type=tarfile.LNKTYPE, link=target, **fields)


def headers(*members, form=tarfile.PAX_FORMAT):
    """Return the archive without its end."""
    written = io.BytesIO()
    for info, content in members:
        written.write(info.tobuf(form, "utf-8", "surrogateescape"))
        written.write(content)
        written.write(bytes(-len(content) % 512))
    return written.getvalue()


def tar(*members, form=tarfile.PAX_FORMAT):
    """Return the archive."""
    return headers(*members, form=form) + bytes(1024)


def tgz(*members, form=tarfile.PAX_FORMAT):
    """Return the archive, compressed."""
    return gzip.compress(tar(*members, form=form), mtime=0)


def listing(content):
    """Return what `tarfile` finds in an archive: its members by name."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {info.name: info for info in archive}
