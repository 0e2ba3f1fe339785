"""Packed folders from untrusted sources (PEP 706, CVE-2007-4559, CVE-2025-4517, CWE-409)."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping

from attrs import evolve

from support.hostile_registry import Altered, Answer, Rule
from support.tar_archives import directory, hardlink, member, symlink, tar, tgz
from support.tar_archives import headers as unfinished
from support.threat_cases import DIRECTORY, OLDER, Artifact, Case, Entry, Layer, Link

__all__ = ["CONTENT_DIGEST", "GOOD", "MIB", "ROWS", "WHOLE", "refused", "taken"]

CONTENT_DIGEST = "io.deis.oras.content.digest"

GOOD = (directory("bundle"), member("bundle/good.txt", b"good\n"))
MIB = 1024 * 1024


def _packed(content: bytes, **annotations: str) -> Artifact:
    return Artifact([Layer("bundle", content, annotations=annotations, folder=True)])


def refused(
    name: str,
    does: str,
    content: bytes,
    error: str = "UnsafeArchiveError",
    *,
    before: Mapping[str, Entry] | None = None,
    memory: int | None = None,
    **annotations: str,
) -> Case:
    return Case(
        f"tar-{name}",
        f"packs {does}",
        _packed(content, **annotations),
        before={"bundle/older.txt": OLDER} if before is None else before,
        error=error,
        memory=memory,
    )


def taken(name: str, does: str, content: bytes, after: Mapping[str, Entry], **more: object) -> Case:
    return Case(f"tar-{name}", f"packs {does}", _packed(content), after=after, **more)


def _with_pax(name: str, content: bytes = b"evil\n", **records: str) -> bytes:
    return tgz(*GOOD, member(name, content, pax_headers=records))


def _named(name: str) -> bytes:
    return tgz(*GOOD, member(name, b"evil\n"))


# --- Names --------------------------------------------------------------------------------

NAMES = [
    refused(f"name-{name}", f"a member named by {does}", _named(text))
    for name, text, does in (
        ("parent", "../escaped", "'..'"),
        ("parent-inside", "bundle/../../escaped", "'..' in the middle"),
        ("parent-harmless", "bundle/a/../b", "'..' that comes back"),
        ("parent-back", "bundle/..", "'..' at the end"),
        ("sibling", "../out-sibling/escaped", "a folder whose name begins as ours"),
        ("absolute", "/tmp/oras-escaped", "an absolute path"),
        ("absolute-doubled", "//tmp/oras-escaped", "two slashes at the front"),
        ("backslash", "bundle\\..\\..\\escaped", "backslashes"),
        ("drive", "C:/escaped", "a drive letter"),
        ("drive-inside", "bundle/C:/escaped", "a drive letter behind the folder"),
        ("newline", "bundle/a\nb", "a line feed"),
        ("escape", "bundle/\x1b[2Jx", "a terminal escape"),
        ("override", "bundle/a\u202etxt.exe", "an override of the writing direction"),
        ("long", "bundle/" + "x" * 256, "more than a file system takes"),
        ("long-path", "bundle/" + "/".join(["x" * 200] * 25), "a path that no system takes"),
        ("outside-prefix", "other/file.txt", "another folder than the archive's"),
        ("outside-prefix-sibling", "bundle-2/file.txt", "a folder whose name begins alike"),
    )
] + [
    refused("name-pax-nul", "NUL in a pax name", _with_pax("x", path="bundle/a\0b")),
    refused("name-pax-parent", "'..' in a pax name", _with_pax("bundle/x", path="../escaped")),
    refused(
        "name-pax-absolute", "an absolute pax name", _with_pax("bundle/x", path="/tmp/oras-escaped")
    ),
    refused("name-not-utf8", "a name that is no UTF-8", tgz(*GOOD, member("bundle/\udcff"))),
    refused("name-first-parent", "a first member with '..'", tgz(member("../escaped", b"evil\n"))),
    refused(
        "deep",
        "300 folders within one another",
        tgz(*GOOD, member("bundle/" + "d/" * 300 + "x", b"deep\n")),
    ),
    refused(
        "gnu-long-parent",
        "'..' in a GNU long name",
        tgz(*GOOD, member("../" * 60 + "escaped", b"evil\n"), form=tarfile.GNU_FORMAT),
    ),
    refused(
        "ustar-prefix-parent",
        "'..' in the prefix field",
        tgz(*GOOD, member("../" + "x" * 90 + "/" + "y" * 90, b"evil\n"), form=tarfile.USTAR_FORMAT),
    ),
]

# --- Links --------------------------------------------------------------------------------

LINKS = [
    refused(f"link-{name}", f"a symbolic link {does}", tgz(*GOOD, *members))
    for name, does, members in (
        ("parent", "to the folder above", [symlink("bundle/l", "..")]),
        ("outside", "to a folder outside", [symlink("bundle/l", "../../outside")]),
        ("absolute", "to an absolute path", [symlink("bundle/l", "/etc/passwd")]),
        ("root", "to the root", [symlink("bundle/l", "/")]),
        ("home", "to a path that a shell would expand", [symlink("bundle/l", "~/../..")]),
        ("proc", "to this process", [symlink("bundle/l", "/proc/self/fd/0")]),
        ("empty", "to nothing", [symlink("bundle/l", "")]),
        ("backslash", "with backslashes", [symlink("bundle/l", "..\\..\\outside")]),
        ("drive", "to a drive", [symlink("bundle/l", "C:/outside")]),
        ("nul", "with a control character", [symlink("bundle/l", "a\x01b")]),
        (
            "chain",
            "through another that looks harmless",
            [symlink("bundle/a", "."), symlink("bundle/b", "a/..")],
        ),
        (
            "chain-late",
            "through another that comes later",
            [symlink("bundle/b", "a/../.."), symlink("bundle/a", "d"), directory("bundle/d")],
        ),
        (
            "chain-deep",
            "through ten others",
            [
                symlink("bundle/l0", "."),
                *(symlink(f"bundle/l{n}", f"l{n - 1}/l{n - 1}") for n in range(1, 10)),
                symlink("bundle/out", "l9/.."),
            ],
        ),
        (
            "written-through",
            "outside, and a file through it",
            [symlink("bundle/l", "../../outside"), member("bundle/l/escaped", b"evil\n")],
        ),
        (
            "written-through-inside",
            "inside, and a file through it",
            [directory("bundle/d"), symlink("bundle/l", "d"), member("bundle/l/x", b"evil\n")],
        ),
        (
            "replaced-by-file",
            "and a file of the same name",
            [symlink("bundle/l", "good.txt"), member("bundle/l", b"evil\n")],
        ),
        (
            "replaces-file",
            "in place of a file",
            [member("bundle/f", b"good\n"), symlink("bundle/f", "good.txt")],
        ),
        (
            "replaces-folder",
            "in place of a folder",
            [directory("bundle/d"), symlink("bundle/d", "."), member("bundle/d/x", b"evil\n")],
        ),
        ("self", "to itself", [symlink("bundle/l", "l")]),
        ("loop", "in a circle", [symlink("bundle/a", "b"), symlink("bundle/b", "a")]),
        (
            "realpath-overflow",
            "behind a path too long to be resolved (CVE-2025-4517)",
            [
                *(
                    each
                    for depth in range(16)
                    for each in (
                        directory("bundle/" + "/".join(["d" * 200] * (depth + 1))),
                        symlink(
                            "bundle/" + "/".join(["d" * 200] * depth + [chr(97 + depth)]), "d" * 200
                        ),
                    )
                ),
                symlink("bundle/escape", "/".join(chr(97 + n) for n in range(16)) + "/.." * 17),
            ],
        ),
    )
] + [
    taken(
        "link-inside",
        "a symbolic link to a file inside",
        tgz(*GOOD, symlink("bundle/l", "good.txt"), symlink("bundle/d/up", "../good.txt")),
        {
            "bundle/good.txt": b"good\n",
            "bundle/l": Link("good.txt"),
            "bundle/d/up": Link("../good.txt"),
        },
    ),
    taken(
        "link-dangling",
        "a symbolic link to nothing inside",
        tgz(*GOOD, symlink("bundle/l", "missing")),
        {"bundle/good.txt": b"good\n", "bundle/l": Link("missing")},
    ),
]

HARD_LINKS = [
    refused(f"hardlink-{name}", f"a hard link {does}", tgz(*GOOD, *members))
    for name, does, members in (
        ("outside", "to a file outside", [hardlink("bundle/h", "../outside/canary")]),
        (
            "outside-prefix",
            "to a file outside",
            [hardlink("bundle/h", "bundle/../../outside/canary")],
        ),
        ("absolute", "to an absolute path", [hardlink("bundle/h", "/etc/passwd")]),
        (
            "working-directory",
            "relative to the working directory",
            [hardlink("bundle/h", "own.txt")],
        ),
        ("later", "to a later member", [hardlink("bundle/h", "bundle/z"), member("bundle/z")]),
        ("missing", "to no member", [hardlink("bundle/h", "bundle/none")]),
        ("self", "to itself", [hardlink("bundle/h", "bundle/h")]),
        ("folder", "to a folder", [hardlink("bundle/h", "bundle")]),
        (
            "symlink",
            "to a symbolic link that leads out",
            [symlink("bundle/l", "../../outside/canary"), hardlink("bundle/h", "bundle/l")],
        ),
        (
            "symlink-inside",
            "to a symbolic link",
            [symlink("bundle/l", "good.txt"), hardlink("bundle/h", "bundle/l")],
        ),
    )
] + [
    taken(
        "hardlink-inside",
        "a hard link to a file inside, and writes to that file later",
        tgz(*GOOD, hardlink("bundle/h", "bundle/good.txt"), member("bundle/good.txt", b"new\n")),
        {"bundle/good.txt": b"new\n", "bundle/h": b"good\n"},
        note="oras-py makes real hard links, of which each is written to with the other",
    ),
    refused(
        "hardlink-older-file",
        "a hard link to an older file of the folder, which is no member",
        tgz(*GOOD, hardlink("bundle/h", "bundle/older.txt")),
    ),
]

# --- Kinds and modes ----------------------------------------------------------------------

KINDS = [
    refused(f"kind-{name}", does, tgz(*GOOD, member(f"bundle/{name}", type=kind, **fields)))
    for name, does, kind, fields in (
        ("character-device", "a character device", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3}),
        ("block-device", "a block device", tarfile.BLKTYPE, {"devmajor": 8, "devminor": 0}),
        ("fifo", "a FIFO", tarfile.FIFOTYPE, {}),
        ("unknown", "a member of unknown type", b"Z", {}),
        ("multivolume", "the rest of a member of another archive", b"M", {}),
    )
]


def _mode(name: str, does: str, mode: int, **fields: object) -> Case:
    return taken(
        f"mode-{name}",
        does,
        tgz(*GOOD, member("bundle/x", b"x\n", mode=mode, **fields)),
        {"bundle/good.txt": b"good\n", "bundle/x": b"x\n"},
        check=lambda folders, _: _mode_objection(folders.out / "bundle" / "x"),
    )


def _mode_objection(path) -> str:
    status = path.stat()
    mode = status.st_mode & 0o7777
    if mode not in (0o644, 0o755):
        return f"the mode is {mode:o}, not what the umask leaves"
    return (
        ""
        if status.st_uid == 0 or status.st_uid == path.parent.stat().st_uid
        else "a stranger owns it"
    )


MODES = [
    _mode("setuid", "a file with set-user-id", 0o4755),
    _mode("setgid", "a file with set-group-id", 0o2755),
    _mode("sticky", "a file with the sticky bit", 0o1644),
    _mode("world-writable", "a file that everybody may write to", 0o666),
    _mode("everything", "a file with all bits", 0o7777),
    _mode("unreadable", "a file that nobody may read", 0o000),
    _mode("owner", "a file of another user", 0o644, uid=12345, gid=12345, uname="nobody"),
    _mode("time", "a file of the year 2300", 0o644, mtime=10_413_792_000),
    taken(
        "mode-folder-setgid",
        "a folder with set-group-id and no rights",
        tgz(
            directory("bundle"),
            member("bundle/d", type=tarfile.DIRTYPE, mode=0o2000),
            member("bundle/d/x"),
        ),
        {"bundle/d/x": b""},
    ),
]

# --- Repetition, damage and size ----------------------------------------------------------


def _gzip_of(content: bytes, **options: object) -> bytes:
    return gzip.compress(content, mtime=0, **options)


WHOLE = tar(*GOOD)
PACKED = _gzip_of(WHOLE)


def _patched(at: int, new: bytes) -> bytes:
    """Return the archive with some bytes of its second header changed, the checksum made right."""
    content = bytearray(WHOLE)
    content[512 + at : 512 + at + len(new)] = new
    block = content[512:1024]
    block[148:156] = b" " * 8
    content[512 + 148 : 512 + 156] = b"%06o\0 " % sum(block)
    return _gzip_of(bytes(content))


def _bomb(size: int) -> bytes:
    """Return an archive of one file of `size` zeros, which compresses a thousandfold."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as file:
        info, _ = member("bundle/zeros", size=size)
        file.write(tar(directory("bundle"))[:512])
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size // MIB):
            file.write(bytes(MIB))
        file.write(bytes(1024))
    return packed.getvalue()


DAMAGE = [
    taken(
        "same-file-twice",
        "a file twice, of which the later counts",
        tgz(*GOOD, member("bundle/good.txt", b"later\n")),
        {"bundle/good.txt": b"later\n"},
    ),
    refused(
        "file-then-folder",
        "a file, and a folder of its name",
        tgz(*GOOD, directory("bundle/good.txt")),
    ),
    refused(
        "file-then-below",
        "a file, and another below it",
        tgz(*GOOD, member("bundle/good.txt/x", b"evil\n")),
    ),
    refused("truncated-header", "half a header", _gzip_of(WHOLE[:700])),
    refused("truncated-content", "half a file", _gzip_of(WHOLE[:1026])),
    refused("truncated-end", "no end", _gzip_of(unfinished(*GOOD))),
    refused("truncated-gzip", "half a gzip stream", PACKED[:-20]),
    refused("truncated-trailer", "a gzip stream without its checksum", PACKED[:-8]),
    refused(
        "gzip-checksum", "a gzip stream of a wrong checksum", PACKED[:-8] + bytes(4) + PACKED[-4:]
    ),
    refused("gzip-damaged", "a damaged gzip stream", PACKED[:30] + b"\xff\xff\xff" + PACKED[33:]),
    refused("gzip-garbage-after", "a gzip stream and something after it", PACKED + b"garbage"),
    refused("not-gzip", "what is no archive at all", b"hello, here is a text\n" * 100),
    refused("nothing", "nothing at all", b""),
    refused("xz", "a compression that is not supported", b"\xfd7zXZ\0" + bytes(600)),
    refused("html", "a web page", b"<!doctype html><title>sign in</title>" + b" " * 600),
    refused("checksum", "a header of a wrong checksum", _gzip_of(WHOLE[:512] + b"B" + WHOLE[513:])),
    refused("after-end", "something after the end", _gzip_of(WHOLE + b"x" * 512)),
    refused(
        "second-archive",
        "another archive after the end",
        _gzip_of(WHOLE + tar(symlink("l", "/etc"))),
    ),
    refused("size-negative", "a file of a negative size", _patched(124, b"\xff" * 12)),
    refused("size-rubbish", "a file whose size is no number", _patched(124, b"9" * 11 + b"\0")),
    refused(
        "size-exabytes",
        "a file of exabytes",
        _patched(124, b"\x80\0\0\0\x40" + bytes(7)),
        "SizeLimitError",
    ),
    refused(
        "size-lies", "a file that is shorter than it says", _patched(124, b"%011o\0" % (100 * MIB))
    ),
    refused("pax-size-rubbish", "a pax size that is no number", _with_pax("bundle/x", size="1e9")),
    refused(
        "pax-size-lies", "a pax size that is not the header's", _with_pax("bundle/x", size="2048")
    ),
    refused(
        "pax-sparse",
        "a sparse file without a map",
        _with_pax("bundle/x", **{"GNU.sparse.major": "1"}),
    ),
    refused(
        "sparse-overlap",
        "a sparse file whose segments overlap",
        _with_pax("bundle/x", b"evil\n", **{"GNU.sparse.size": "9", "GNU.sparse.map": "0,3,2,2"}),
    ),
    refused(
        "sparse-terabytes",
        "a sparse file whose holes exceed the limit",
        _with_pax("bundle/x", b"", **{"GNU.sparse.size": str(2**41), "GNU.sparse.map": ""}),
        "SizeLimitError",
        memory=16 * MIB,
    ),
    taken(
        "name-colon",
        "a member with a colon, which only Windows takes for a drive",
        _named("bundle/C:escaped"),
        {"bundle/good.txt": b"good\n", "bundle/C:escaped": b"evil\n"},
    ),
    taken(
        "kind-sparse",
        "a file that is one hole",
        tgz(*GOOD, member("bundle/sparse", type=tarfile.GNUTYPE_SPARSE)),
        {"bundle/good.txt": b"good\n", "bundle/sparse": b""},
    ),
    taken(
        "kind-volume",
        "a volume's label",
        tgz(*GOOD, member("a label", type=b"V")),
        {"bundle/good.txt": b"good\n"},
    ),
    refused(
        "pax-sparse-name",
        "a sparse file that has another name",
        _with_pax("bundle/x", **{"GNU.sparse.name": "../escaped"}),
    ),
    refused(
        "pax-huge",
        "a pax header of megabytes",
        _with_pax("bundle/x", comment="x" * 2 * MIB),
        memory=16 * MIB,
    ),
    refused(
        "pax-global-path",
        "a global header that names members",
        tgz(
            directory("bundle"),
            member("g", b"23 path=bundle/escaped\n", type=tarfile.XGLTYPE),
            member("bundle/x", b"x\n"),
        ),
    ),
    refused(
        "pax-malformed",
        "a pax header without lengths",
        tgz(
            directory("bundle"),
            member("x", b"path=bundle/x\n", type=tarfile.XHDTYPE),
            member("bundle/x"),
        ),
    ),
    refused(
        "folder-with-content",
        "a folder that has content",
        tgz(directory("bundle"), member("bundle/d/", b"content")),
    ),
    refused(
        "content-digest",
        "an archive of another content digest than it says",
        PACKED,
        "DigestMismatchError",
        **{CONTENT_DIGEST: "sha256:" + "0" * 64},
    ),
    refused(
        "content-digest-malformed",
        "an archive whose content digest is none",
        PACKED,
        "InvalidDigestError",
        **{CONTENT_DIGEST: "sha256:short"},
    ),
    refused(
        "content-digest-weak",
        "an archive whose content digest is an MD5",
        PACKED,
        "InvalidDigestError",
        **{CONTENT_DIGEST: "md5:" + "0" * 32},
    ),
    taken(
        "members-concatenated",
        "two gzip members in a row",
        _gzip_of(WHOLE[:600]) + _gzip_of(WHOLE[600:]),
        {"bundle/good.txt": b"good\n"},
    ),
    taken(
        "bomb-memory",
        "64 MiB of zeros",
        _bomb(64 * MIB),
        {"bundle/zeros": bytes(64 * MIB)},
        memory=24 * MIB,
        check=lambda folders, _: "",
    ),
    taken(
        "global-comment",
        "a global header with a comment, as git makes it",
        tgz(
            member("pax_global_header", b"52 comment=" + b"a" * 40 + b"\n", type=tarfile.XGLTYPE),
            *GOOD,
        ),
        {"bundle/good.txt": b"good\n"},
    ),
    taken(
        "plain-tar",
        "an archive without compression",
        WHOLE,
        {"bundle/good.txt": b"good\n"},
    ),
]


def _last_byte_changed(honest: Answer) -> Answer:
    content = bytes(honest.body)
    return evolve(honest, body=content[:-1] + bytes([content[-1] ^ 1]))


def _one_byte_more(honest: Answer) -> Answer:
    return evolve(honest, body=bytes(honest.body) + b"x")


ONTO = [
    Case(
        "tar-onto-link",
        "packs a folder where a link to a folder outside lies",
        _packed(PACKED),
        before={"bundle": Link("../outside")},
        error="UnsafePathError",
    ),
    Case(
        "tar-onto-file",
        "packs a folder where a file lies",
        _packed(PACKED),
        before={"bundle": OLDER},
        error="UnsafePathError",
    ),
    Case(
        "tar-onto-link-inside",
        "packs a folder into one that holds a link to outside",
        _packed(tgz(*GOOD, member("bundle/sub/x", b"evil\n"))),
        before={"bundle/sub": Link("../../outside"), "bundle/older.txt": OLDER},
        error="UnsafePathError",
    ),
    Case(
        "tar-onto-file-link",
        "packs a file where a link to a file outside lies",
        _packed(PACKED),
        before={"bundle/good.txt": Link("../../outside/canary")},
        error="UnsafePathError",
    ),
    Case(
        "tar-onto-other-kind",
        "packs a folder where a file lies in the older folder",
        _packed(tgz(*GOOD, member("bundle/a/x", b"x\n"))),
        before={"bundle/a": OLDER, "bundle/z.txt": OLDER},
        error="UnsafePathError",
    ),
    Case(
        "tar-merged",
        "packs a folder into an older one",
        _packed(PACKED),
        before={"bundle/good.txt": OLDER, "bundle/other.txt": OLDER, "bundle/d": DIRECTORY},
        after={"bundle/good.txt": b"good\n", "bundle/other.txt": OLDER, "bundle/d": DIRECTORY},
    ),
    Case(
        "tar-wrong-bytes",
        "packs a folder, of which the registry sends one byte changed",
        _packed(PACKED),
        (Rule("GET /v2/app/blobs/", (Altered(_last_byte_changed),)),),
        before={"bundle/good.txt": OLDER},
        error="DigestMismatchError",
    ),
    Case(
        "tar-longer-bytes",
        "packs a folder, and the registry sends more",
        _packed(PACKED),
        (Rule("GET /v2/app/blobs/", (Altered(_one_byte_more),)),),
        before={"bundle/good.txt": OLDER},
        error="SizeMismatchError",
    ),
]

ROWS = [*NAMES, *LINKS, *HARD_LINKS, *KINDS, *MODES, *DAMAGE, *ONTO]
