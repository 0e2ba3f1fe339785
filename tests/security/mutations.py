"""Undo, one after the other, the lines that keep the promises of docs/security.md.

    python tests/security/mutations.py [--jobs N] [PROMISE ...]

Each mutation is made in a copy of the packages, and the row or test that backs the promise is
run there: it must pass without the mutation, and fail with it. The status is 1 if one does not.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("oras", "oras_adapters", "oras_core", "tests", "setup.cfg")
SECONDS = 300
"""What a run of tests may take on a busy machine."""
MEMORY_MIB = 4096
"""Memory limit of a run of tests: some mutations let a registry fill the memory."""

# The folder by its whole path, as `-m` has it: tests go elsewhere before they import.
BOUNDED = f"""
import os, resource, sys
sys.path[0] = os.getcwd()
import pytest
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_MIB} << 20,) * 2)
sys.exit(pytest.main(sys.argv[1:]))
"""
UNTAGGING = "../unit/registry/test_untagging.py"
ATTEMPTS = 3
"""How often a test may pass without its promise: threads do not race the same way each time."""


@frozen
class Mutation:
    """One promise undone.

    Attributes:
        promise: its name in docs/security.md.
        path: the module that keeps it.
        kept: the line, or lines, that do.
        undone: what stands there instead.
        tests: row ids with their scheme, or tests of this folder, that must fail then.
    """

    promise: str
    path: str
    kept: str
    undone: str
    tests: tuple[str, ...]

    @property
    def selected(self) -> list[str]:
        """The tests as pytest takes them."""
        return [
            posixpath.normpath(f"tests/security/{test}")
            if "::" in test
            else f"tests/security/test_rows.py::test_row[{test}]"
            for test in self.tests
        ]


MUTATIONS = (
    Mutation(
        "C14",
        "oras_core/stores/cache.py",
        "                verify_stream(stream, descriptor)\n",
        "                pass\n",
        ("../unit/stores/test_content_cache.py::test_wrong_bytes_in_the_cache_are_fetched_again",),
    ),
    Mutation(
        "C12",
        "oras_adapters/http/kept_connections.py",
        "            if head.status >= _FINAL:",
        "            if head.status != 100:",
        ("answer-early-hints-http",),
    ),
    Mutation(
        "C12",
        "oras_adapters/http/receiver.py",
        """        return not self._buffer

    def is_idle(self) -> bool:
        \"\"\"Tell whether the server has sent nothing more, and has not hung up.\"\"\"
        if self._buffer:
            return False
""",
        """        return True

    def is_idle(self) -> bool:
""",
        ("answer-doubled-http",),
    ),
    Mutation(
        "K13",
        "oras_adapters/composition.py",
        "self._tls(authority)",
        "self._tls(next(iter(self.settings.hosts), authority))",
        (
            "test_tls_by_host.py::test_client_certificate_is_sent_to_its_own_host_only",
            "test_tls_by_host.py::test_verification_is_off_for_its_own_host_only",
        ),
    ),
    Mutation(
        "N1",
        "oras_core/model/paths.py",
        """    if ".." in path and _leads""",
        """    if "..." in path and _leads""",
        ("path-parent-http",),
    ),
    Mutation(
        "N1",
        "oras_core/model/paths.py",
        '    if path.startswith(("/",',
        '    if path.startswith(("//////",',
        ("path-absolute-inside-http",),
    ),
    Mutation(
        "N2",
        "oras_core/model/paths.py",
        "    if found := _refused_characters().search(path):",
        "    if found := None:",
        ("path-escape-http", "path-newline-http"),
    ),
    Mutation(
        "N3",
        "oras_core/verbs/pull.py",
        "        if titled.setdefault(path, layer).digest != layer.digest:",
        "        if titled.setdefault(path, layer).digest is None:",
        ("path-same-title-http",),
    ),
    Mutation(
        "N4",
        "oras_adapters/files/posix.py",
        "flags = FOLDER_FLAGS if follow else FOLDER_FLAGS | os.O_NOFOLLOW",
        "flags = FOLDER_FLAGS",
        ("disk-link-folder-http", "disk-swapped-before-http"),
    ),
    Mutation(
        "N4",
        "oras_adapters/files/partial_files.py",
        '                refuse_unless(self._folder, self._path.name, self._path, "file")\n',
        "",
        ("disk-planted-link-http",),
    ),
    Mutation(
        "N4",
        "oras_adapters/files/posix.py",
        "FILE_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK",
        "FILE_FLAGS: Final = os.O_NONBLOCK",
        ("partial-link-dangling-http",),
    ),
    Mutation(
        "N6",
        "oras_core/model/paths.py",
        "    if is_unfinished(path):",
        "    if False and is_unfinished(path):",
        ("partial-name-layer-http", "partial-name-packed-http", "partial-title-http"),
    ),
    Mutation(
        "N6",
        "oras_adapters/files/kept_files.py",
        "        if not _is_still_there(self._folder, self._name, os.fstat(self._file)):",
        "        if not self._name:",
        ("partial-replaced-http",),
    ),
    Mutation(
        "A1",
        "oras_core/archives/policy.py",
        "        if not _is_above(self._prefix, parts):",
        "        if not self._prefix:",
        ("tar-name-outside-prefix-http",),
    ),
    Mutation(
        "A2",
        "oras_core/archives/policy.py",
        "find_unsafe_link(self._links, self._superseded, folder=self._folder)",
        "None",
        ("tar-link-chain-http", "tar-link-outside-http"),
    ),
    Mutation(
        "A3",
        "oras_core/archives/policy.py",
        "        elif known != kind:",
        "        elif not known:",
        ("tar-link-written-through-inside-http", "tar-file-then-folder-http"),
    ),
    Mutation(
        "A5",
        "oras_core/archives/policy.py",
        '        if member.kind == "special":',
        '        if member.kind == "none":',
        ("tar-kind-fifo-http", "tar-kind-character-device-http"),
    ),
    Mutation(
        "A6",
        "oras_adapters/files/partial_files.py",
        "0o777 if executable else 0o666",
        "0o4777 if executable else 0o666",
        ("tar-mode-setuid-http",),
    ),
    Mutation(
        "A7",
        "oras_core/archives/decompression.py",
        '            raise ArchiveDamage("its compressed data is truncated")',
        "            return",
        ("tar-truncated-trailer-http",),
    ),
    Mutation(
        "A8",
        "oras_core/archives/archive.py",
        "    if tar_digest and hasher and hasher.hexdigest() != tar_digest.encoded:",
        "    if False and tar_digest and hasher:",
        ("tar-content-digest-http",),
    ),
    Mutation(
        "A10",
        "oras_adapters/compression/zstd_compression.py",
        "MAX_WINDOW_LOG: Final = 25",
        "MAX_WINDOW_LOG: Final = 27",
        ("zstd-window-http",),
    ),
    Mutation(
        "C1",
        "oras_core/content/verify.py",
        "        if actual != expected.encoded:",
        "        if not actual:",
        ("blob-changed-http", "tar-wrong-bytes-http"),
    ),
    Mutation(
        "C3",
        "oras_core/stores/resuming.py",
        "        fill_file(file, descriptor, source)\n        file.commit()",
        "        try:\n"
        "            fill_file(file, descriptor, source)\n"
        "        finally:\n"
        "            file.commit()",
        ("blob-changed-http", "blob-length-less-http"),
    ),
    Mutation(
        "C4",
        "oras_adapters/http/urllib3_transport.py",
        "        body = _Body(pool, connection, answer, request)",
        """        body = _Body(pool, connection, answer, request)
        if dict(head.fields).get("Content-Encoding") == "gzip":
            body = __import__("gzip").GzipFile(fileobj=body)""",
        ("blob-encoding-gzip-chunked-http", "blob-encoding-label-gzip-http"),
    ),
    Mutation(
        "C5",
        "oras_core/model/limits.py",
        "MAX_MANIFEST_SIZE: Final = 4 * 1024 * 1024",
        "MAX_MANIFEST_SIZE: Final = 40 * 1024 * 1024",
        ("manifest-large-http",),
    ),
    Mutation(
        "C6",
        "oras_core/registry/manifests.py",
        "    if expected is not None and actual != expected:",
        "    if expected is None:",
        ("manifest-by-digest-other-http", "manifest-digest-header-http"),
    ),
    Mutation(
        "C7",
        "oras_core/model/codec.py",
        "    if len(found) > 1:",
        "    if len(found) > 2:",
        ("manifest-member-both-http",),
    ),
    Mutation(
        "C8",
        "oras_core/model/digest.py",
        r're.compile(r"[0-9a-f]+\Z")',
        r're.compile(r"[0-9a-fA-F]+\Z")',
        ("descriptor-digest-upper-http",),
    ),
    Mutation(
        "C9",
        "oras_core/model/codec.py",
        '        raise ValueError(f"the key {twice!r} occurs twice in one object")',
        "        members[twice] = members[twice]",
        ("manifest-json-twice-http",),
    ),
    Mutation(
        "C11",
        "oras_core/errors/redaction.py",
        "    if not text.isprintable():",
        "    if False:",
        ("answer-error-escapes-http",),
    ),
    Mutation(
        "K1",
        "oras_core/registry/transports/redirects.py",
        "        return evolve(without_secrets(request), url=target)",
        "        return evolve(request, url=target)",
        ("redirect-blob-307-https", "redirect-own-header-https", "redirect-blob-bearer-http"),
    ),
    Mutation(
        "K1",
        "oras_core/registry/auth/authorizer.py",
        '        if origin_of(request.url) != self._origin or "Authorization" in request.headers:',
        '        if "Authorization" in request.headers:',
        ("location-other-host-https",),
    ),
    Mutation(
        "K2",
        "oras/_transports/foreign.py",
        '        return {"auth": _Bare(request), "cert": ()}',
        "        return {}",
        ("test_sessions.py::test_session_sends_its_secrets_to_the_registry_only",),
    ),
    Mutation(
        "K3",
        "oras_core/registry/transports/redirects.py",
        'base_scheme == "https" != target.scheme',
        'base_scheme == "none" != target.scheme',
        ("downgrade-blob-https", "downgrade-realm-https"),
    ),
    Mutation(
        "K4",
        "oras_core/registry/transports/redirects.py",
        '"it holds a user name": "@" in target.netloc',
        '"it holds a user name": "@@" in target.netloc',
        ("redirect-to-user-https",),
    ),
    Mutation(
        "K5",
        "oras_core/registry/pagination.py",
        "    if origin_of(resolved) != origin_of(url):",
        "    if not origin_of(resolved):",
        ("link-other-host-https",),
    ),
    Mutation(
        "K6",
        "oras_core/registry/auth/authorizer.py",
        "            held = self._obtain(Audience(realm, challenge.service), scopes, request)",
        "            who = self._book.get('')\n"
        "            held = self._obtain(Audience(realm, challenge.service, who), scopes, request)",
        ("redirect-challenge-bearer-own-https",),
    ),
    Mutation(
        "K7",
        "oras_core/registry/auth/refusals.py",
        "            known.append(refused)",
        "            pass",
        ("test_company.py::test_refused_password_is_not_sent_by_the_next_pull",),
    ),
    Mutation(
        "K7",
        "oras_core/registry/auth/authorizer.py",
        "        needs_less = not covers(wanted.needed, wanted.useful)",
        "        needs_less = False",
        ("test_company.py::test_push_refused_by_the_token_server_does_not_affect_pulls",),
    ),
    Mutation(
        "K9",
        "oras_core/registry/auth/demands.py",
        "            return self._challenges.get(repository)",
        "            return self._latest",
        ("../unit/registry/auth/test_authorizer.py::test_two_token_services_on_one_host",),
    ),
    Mutation(
        "T6",
        "oras_core/registry/auth/authorizer.py",
        "            and self._tokens.is_current(refused)",
        "            and True",
        (
            "../unit/registry/auth/test_authorizer.py::test_a_token_that_expired_before_its_use_is_replaced",
        ),
    ),
    Mutation(
        "K8",
        "oras_core/registry/transports/redirects.py",
        "        if request.body is not None and content_type(request.headers) == _FORM:",
        "        if request.body is not None and not request.url:",
        ("token-form-moved-https",),
    ),
    Mutation(
        "K9",
        "oras_core/registry/auth/held_tokens.py",
        "        place, *_ = _places(audience, scopes)",
        """        place, scopes = (audience, "", ""), ()""",
        ("token-other-repository-https",),
    ),
    Mutation(
        "K10",
        "oras_core/registry/auth/discretion.py",
        "    if response.status < 400 or not sought:",
        "    if True:",
        ("refused-echo-403-https",),
    ),
    Mutation(
        "K10",
        "oras_core/errors/redaction.py",
        '    return urlunsplit((parts.scheme, host, parts.path, "", ""))',
        '    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))',
        ("redirect-presigned-refused-https", "redirect-presigned-https"),
    ),
    Mutation(
        "K11",
        "oras_adapters/http/tls.py",
        "    if not verify:",
        "    if True:",
        ("tls-untrusted-https", "tls-wrong-name-https", "tls-expired-https"),
    ),
    Mutation(
        "K11",
        "oras_adapters/http/tls.py",
        "    context.minimum_version = ssl.TLSVersion.TLSv1_2",
        "    context.set_ciphers('ALL:@SECLEVEL=0')\n"
        "    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED",
        ("tls-old-https",),
    ),
    Mutation(
        "K12",
        "oras_core/registry/auth/token.py",
        r're.compile(r"[\x21-\x7e]+\Z")',
        r're.compile(r"(?s).+\Z")',
        ("token-newline-http",),
    ),
    Mutation(
        "F1",
        "oras_adapters/credentials/docker_config.py",
        "            entries[config_key(registry)] = "
        "{**_foreign_fields(removed), **_fields(credential)}",
        "            entries = {config_key(registry): _fields(credential)}",
        ("login-keeps-http",),
    ),
    Mutation(
        "F2",
        "oras_core/verbs/login.py",
        "    registry.ping()\n    store.put(registry.host, credential)",
        "    store.put(registry.host, credential)\n    registry.ping()",
        ("login-refused-http",),
    ),
    Mutation(
        "F3",
        "oras_adapters/credentials/credential_helper.py",
        '        if not _helper_name().match(name) or name.strip(".") == "":',
        '        if name.strip(".") == "":',
        ("helper-relative-http",),
    ),
    Mutation(
        "P1",
        "oras_core/content/sources.py",
        "            self._source.check_unchanged()\n            if self._stream.read(1):",
        "            if self._stream.read(1):",
        ("push-file-grows-midway-http", "push-file-replaced-midway-http"),
    ),
    Mutation(
        "P3",
        "oras_core/registry/header_fields.py",
        "    if found is not None and found.algorithm == expected.algorithm and found != expected:",
        "    if found is None and expected is None:",
        ("push-put-other-http", "push-manifest-other-http"),
    ),
    Mutation(
        "P4",
        "oras_core/archives/archive.py",
        "    if unsafe := find_unsafe_link(links, folder=prefix.parts):",
        "    if unsafe := None:",
        ("push-folder-link-outside-http", "push-folder-link-chain-http"),
    ),
    Mutation(
        "P6",
        "oras_core/registry/blobs/session.py",
        "        if self._answer[1].status != 201 and not self._is_stored(digest):",
        "        if False:",
        ("push-put-202-http", "push-put-200-http"),
    ),
    Mutation(
        "T1",
        "oras_core/registry/auth/authorizer.py",
        "self._deliver(request, proof, wanted).following(response)",
        "self._deliver(request, proof, wanted)",
        (f"{UNTAGGING}::test_a_challenge_between_the_attempts_does_not_hide_the_first_one",),
    ),
    Mutation(
        "K10",
        "oras_core/errors/redaction.py",
        '    may_be_cut = not parts.netloc or ":" in parts.netloc or "@" in parts.netloc',
        "    may_be_cut = False",
        ("../unit/test_redaction.py::test_no_part_of_a_password_is_shown",),
    ),
    Mutation(
        "T1",
        "oras_core/registry/transports/retries.py",
        "    return status in (408, 429) or 500 <= status <= 599",
        "    return status in (408, 429)",
        ("fault-status-503-once-http",),
    ),
    Mutation(
        "T4",
        "oras_core/registry/blobs/resuming.py",
        "            or found.start != self._offset\n",
        "",
        ("range-other-start-http",),
    ),
    Mutation(
        "T5",
        "oras_core/registry/transports/redirects.py",
        "        for _ in range(self._hops + 1):",
        "        for _ in range(self._hops + 100):",
        ("loop-self-https", "loop-two-hosts-http"),
    ),
    Mutation(
        "T6",
        "oras_core/registry/auth/authorizer.py",
        "            self._tokens.drop(refused.held)",
        "            pass",
        ("expired-within-https", "expired-push-http"),
    ),
    Mutation(
        "T10",
        "oras_adapters/files/kept_files.py",
        "            if not _is_ours(state):\n                return None",
        "            pass",
        ("partial-hard-link-http", "partial-fifo-http"),
    ),
    Mutation(
        "T10",
        "oras_adapters/files/kept_files.py",
        "                if not try_lock_descriptor(descriptor):",
        "                if not descriptor:",
        ("partial-locked-http",),
    ),
    Mutation(
        "T11",
        "oras_core/stores/resuming.py",
        "        file.restart()\n        return False",
        "        return True",
        ("partial-wrong-http", "partial-whole-wrong-http", "partial-rest-other-http"),
    ),
    Mutation(
        "T12",
        "oras_core/stores/file.py",
        "        forget_partial(self._tree, path, descriptor)\n",
        "",
        ("partial-not-needed-http",),
    ),
    Mutation(
        "T12",
        "oras_core/stores/resuming.py",
        "        if not _is_interruption(error):\n            file.restart()\n",
        "",
        ("partial-rest-other-always-http",),
    ),
    Mutation(
        "T13",
        "oras_core/registry/blobs/chunked.py",
        "            stalls = 0 if offset > furthest else stalls + 1",
        "            stalls = 0",
        ("asked-same-http",),
    ),
    Mutation(
        "T15",
        "oras_core/content/known_digests.py",
        "    if not has_settled(file.entry, time.time_ns()):\n        return _forget\n",
        "",
        (
            "test_digest_cache_poisoning.py::test_a_file_that_changed_a_moment_ago_is_not_remembered",
        ),
    ),
    Mutation(
        "T15",
        "oras_adapters/digest_cache.py",
        "        if status.st_uid != os.getuid():\n",
        "        if False:\n",
        ("test_digest_cache_poisoning.py::test_a_database_of_another_user_is_ignored",),
    ),
    Mutation(
        "C3",
        "oras_adapters/files/partial_files.py",
        "        if not self._name:\n            return\n        try:",
        "        if self._name:\n            return\n        try:",
        ("blob-changed-http", "test_disk.py::test_full_disk_keeps_the_older_files"),
    ),
)


def _copy(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)


def _failing(folder: Path, tests: Sequence[str]) -> tuple[set[str], str]:
    """Return which of the tests fail in a copy, and all that was said."""
    options = ["-q", "-p", "no:cacheprovider", "-rfE"]
    command = [sys.executable, "-c", BOUNDED, *options, *tests]
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=SECONDS,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except subprocess.TimeoutExpired:
        return set(tests), "it took too long"
    if done.returncode < 0:  # killed: what it was given was too much for it
        return set(tests), f"it ended by signal {-done.returncode}"
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout}{done.stderr}")
    words = [line.split(" ") for line in done.stdout.splitlines()]
    failed = [line[1] for line in words if line[0] in ("FAILED", "ERROR") and len(line) > 1]
    return {
        test for test in tests for one in failed if one == test or one.startswith(f"{test}[")
    }, done.stdout


def undo(mutation: Mutation) -> str:
    """Return the fault of a mutation; empty if all its tests fail."""
    with tempfile.TemporaryDirectory(prefix="oras-mutation-") as name:
        folder = Path(name)
        _copy(folder)
        module = folder / mutation.path
        source = module.read_text("utf-8")
        if source.count(mutation.kept) != 1:
            return f"{mutation.path} has the line {source.count(mutation.kept)} times"
        broken, said = mutation.selected, ""
        for _ in range(ATTEMPTS):  # a busy machine may be slower than a row allows
            failing, said = _failing(folder, broken)
            broken = [test for test in broken if test in failing]
            if not broken:
                break
        if broken:
            return f"without it these fail: {', '.join(broken)}\n{said}"
        module.write_text(source.replace(mutation.kept, mutation.undone), "utf-8")
        unmoved = mutation.selected
        for _ in range(ATTEMPTS):
            failing, _said = _failing(folder, unmoved)
            unmoved = [test for test in unmoved if test not in failing]
            if not unmoved:
                break
        return f"these did not fail: {', '.join(unmoved)}" if unmoved else ""


def main() -> int:
    """Print which promises' tests notice that they are undone."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("promises", nargs="*")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    chosen = [m for m in MUTATIONS if not options.promises or m.promise in options.promises]
    noticed = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutation, reason in zip(chosen, pool.map(undo, chosen), strict=True):
            outcome = reason or "noticed by " + ", ".join(mutation.tests)
            print(f"{mutation.promise:4} {mutation.path}: {outcome}", flush=True)
            if not reason:
                noticed.append(mutation)
    promises = len({mutation.promise for mutation in noticed})
    print(f"{len(noticed)} of {len(chosen)} mutations of {promises} promises are noticed")
    return 0 if len(noticed) == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
