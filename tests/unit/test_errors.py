from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import oras_core.errors
from oras_core.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    AuthenticationError,
    CancelledError,
    ContentError,
    CopyError,
    CredentialError,
    CredentialHelperError,
    DigestMismatchError,
    FileAccessError,
    InvalidAnnotationError,
    InvalidConfigurationError,
    InvalidDescriptorError,
    InvalidDigestError,
    InvalidInputError,
    InvalidManifestError,
    InvalidPlatformError,
    InvalidReferenceError,
    NotFoundError,
    OrasError,
    RateLimitedError,
    RegistryError,
    RegistryNotFoundError,
    SizeLimitError,
    SizeMismatchError,
    SourceChangedError,
    TitleCollisionError,
    TlsError,
    TransportError,
    TransportTimeoutError,
    UnsafeArchiveError,
    UnsafePathError,
    UnsafeRedirectError,
    UnsupportedError,
    WorkerError,
    redact_url,
)

ANSWER = {"status": 418, "method": "GET", "url": "https://r.io/v2/a?sig=s3cret"}
REQUEST = ("PUT", "https://me:s3cret@r.io/v2/a?sig=s3cret#s3cret")
REDIRECT = ("https://r.io/a?sig=s3cret", "http://me:s3cret@evil.example/b?sig=s3cret")

EXAMPLES = [
    (OrasError("something"), "something"),
    (InvalidInputError("v", "no"), "invalid value 'v': no"),
    (InvalidReferenceError("A", "no"), "invalid reference 'A': no"),
    (InvalidDigestError("x", "no"), "invalid digest 'x': no"),
    (
        WorkerError("killed"),
        (
            "cannot continue the mirror: its workers are lost (killed). "
            "Run the mirror again to continue it."
        ),
    ),
    (InvalidPlatformError(None, "no"), "invalid platform None: no"),
    (InvalidAnnotationError("k", "no"), "invalid annotation 'k': no"),
    (InvalidDescriptorError(-1, "no"), "invalid descriptor -1: no"),
    (InvalidConfigurationError("x", "no"), "invalid setting 'x': no"),
    (UnsafePathError("..", "no"), "invalid path '..': no"),
    (InvalidManifestError("no"), "invalid manifest: no"),
    (InvalidManifestError("no", location="layers[2]"), "invalid manifest at layers[2]: no"),
    (UnsafeArchiveError("\x1b/x", "no"), "refusing to unpack archive member '\\x1b/x': no"),
    (NotFoundError("tag v1", "memory"), "tag v1 not found in memory"),
    (AlreadyExistsError("'a'", "it"), "'a' already exists in it and may not be replaced"),
    (
        TitleCollisionError("a", "a/b", "the push"),
        (
            "two files of the push have the titles 'a' and 'a/b', so one would replace the other. "
            "Give one of them another title, by File(title=...) or the annotation "
            "org.opencontainers.image.title."
        ),
    ),
    (UnsupportedError("tag", "no"), "cannot tag: no"),
    (ContentError("bad"), "bad"),
    (DigestMismatchError("a", "b", what="blob"), "blob has digest b, expected a"),
    (SizeMismatchError(2, 1), "content has only 1 bytes, expected 2"),
    (SizeMismatchError(2, 3), "content has at least 3 bytes, expected 2"),
    (SizeLimitError("body", 3), "body exceeds the limit of 3 bytes"),
    (SizeLimitError("list", 3, unit="pages"), "list exceeds the limit of 3 pages"),
    (SourceChangedError("file 'a'", "gone"), "file 'a' changed while it was being pushed: gone"),
    (FileAccessError("open", "a\n", "disk full"), "cannot open 'a\\n': disk full"),
    (CredentialError("read", "file", "no"), "cannot read with file: no"),
    (CredentialHelperError("get", "pass", "no"), "cannot get with pass: no"),
    (
        RegistryError("pull", codes=["X", "Y"], detail="words", **ANSWER),
        "cannot pull: GET https://r.io/v2/a was answered with status 418 (X, Y: words)",
    ),
    (
        RegistryError("pull", **ANSWER),
        "cannot pull: GET https://r.io/v2/a was answered with status 418",
    ),
    (
        AuthenticationError("pull", detail="words", **ANSWER),
        "cannot pull: GET https://r.io/v2/a was answered with status 418 (words)",
    ),
    (
        AccessDeniedError("pull", codes=("DENIED",), **ANSWER),
        "cannot pull: GET https://r.io/v2/a was answered with status 418 (DENIED)",
    ),
    (
        RegistryNotFoundError("pull", codes=("MANIFEST_UNKNOWN",), **ANSWER),
        "cannot pull: GET https://r.io/v2/a was answered with status 418 (MANIFEST_UNKNOWN)",
    ),
    (
        RateLimitedError("pull", **ANSWER),
        "cannot pull: GET https://r.io/v2/a was answered with status 418",
    ),
    (
        UnsafeRedirectError(*REDIRECT, "no"),
        "https://r.io/a redirects to http://evil.example/b, which is refused: no",
    ),
    (TransportError(*REQUEST, "reset"), "PUT https://r.io/v2/a failed: reset"),
    (TransportTimeoutError(*REQUEST, "late"), "PUT https://r.io/v2/a failed: late"),
    (TlsError(*REQUEST, "expired"), "PUT https://r.io/v2/a failed: expired"),
    (CancelledError("hash content"), "cannot hash content: it was cancelled"),
    (
        CopyError("push", "destination", "sha256:0", OSError("disk full")),
        "copy failed to push sha256:0 at the destination: disk full",
    ),
    (
        CopyError("resolve", "source", "", KeyError("x")),
        "copy failed to resolve at the source: 'x'",
    ),
]


def tree(kind=OrasError):
    found = [kind]
    for below in kind.__subclasses__():
        if below.__module__.startswith("oras_core.errors"):
            found += [other for other in tree(below) if other not in found]
    return found


def test_every_error_is_exported_under_its_name():
    assert {kind.__name__ for kind in tree()} == set(oras_core.errors.__all__) - {"redact_url"}
    assert all(kind.__name__.endswith("Error") for kind in tree())


def test_every_error_has_an_example_here():
    assert {type(error) for error, _ in EXAMPLES} == set(tree())


@pytest.mark.parametrize("kind", tree())
def test_every_error_is_documented(kind):
    documentation = inspect.getdoc(kind)
    assert documentation
    assert "__doc__" in vars(kind)
    assert documentation.splitlines()[0].endswith(".")


@pytest.mark.parametrize(("error", "message"), EXAMPLES)
def test_error_messages(error, message):
    assert str(error) == message


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES])
def test_facts_are_attributes_and_described(error):
    documented = "".join(kind.__doc__ or "" for kind in type(error).__mro__)
    for name in vars(error):
        assert f"{name}:" in documented, name


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES])
def test_no_secret_shows_anywhere(error):
    for shown in (str(error), repr(error), repr(error.args), repr(vars(error))):
        assert "s3cret" not in shown
    assert b"s3cret" not in pickle.dumps(error)


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES])
@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        *(
            lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_errors_can_be_pickled(error, again):
    other = again(error)
    assert other is not error
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert repr(other) == repr(error)
    assert vars(other) == vars(error)
    assert other.args == error.args


def test_notes_are_pickled():
    error = NotFoundError("a", "b")
    error.add_note("while copying")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while copying"]


@pytest.mark.parametrize(
    ("kind", "kin"),
    [
        *((kind, ValueError) for kind in tree(InvalidInputError)),
        (InvalidManifestError, ValueError),
        (UnsafeArchiveError, ValueError),
        (UnsafePathError, ValueError),
        (NotFoundError, LookupError),
        (RegistryNotFoundError, LookupError),
        (RegistryNotFoundError, NotFoundError),
        (RegistryNotFoundError, RegistryError),
        (TransportTimeoutError, TimeoutError),
        (FileAccessError, OSError),
        (TlsError, TransportError),
        (DigestMismatchError, ContentError),
        (SizeMismatchError, ContentError),
        (SizeLimitError, ContentError),
        (SourceChangedError, ContentError),
        (AuthenticationError, RegistryError),
        (AccessDeniedError, RegistryError),
        (RateLimitedError, RegistryError),
        (CredentialHelperError, CredentialError),
    ],
)
def test_errors_have_their_builtin_base_classes(kind, kin):
    assert issubclass(kind, kin)
    assert issubclass(kind, OrasError)


def test_absent_and_refused_are_different_errors_r8():
    kinds = (AuthenticationError, AccessDeniedError, RegistryNotFoundError)
    for kind in kinds:
        assert not any(issubclass(kind, other) for other in kinds if other is not kind)
    assert not issubclass(AccessDeniedError, LookupError)


def test_registry_not_found_error_has_what_and_where():
    error = RegistryNotFoundError("pull a", **ANSWER)
    assert (error.what, error.where) == ("pull a", "https://r.io/v2/a")
    assert pickle.loads(pickle.dumps(error)).what == "pull a"


def test_codes_are_a_tuple():
    assert RegistryError("pull", codes=["X"], **ANSWER).codes == ("X",)
    assert RegistryError("pull", **ANSWER).codes == ()


def test_rate_limited_error_has_retry_after():
    error = RateLimitedError("pull", **ANSWER)
    assert error.retry_after is None
    error.retry_after = 3.5
    assert pickle.loads(pickle.dumps(error)).retry_after == 3.5


def test_retryable_errors():
    assert TransportError("GET", "http://r.io/", "reset").retryable
    assert TransportTimeoutError("GET", "http://r.io/", "late").retryable
    assert not TransportError("GET", "http://r.io/", "refused", retryable=False).retryable
    assert not TlsError("GET", "https://r.io/", "expired").retryable


# --- redact_url ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://r.io/v2/", "https://r.io/v2/"),
        ("https://r.io:443/a/b", "https://r.io:443/a/b"),
        ("https://user:pw@r.io/a", "https://r.io/a"),
        ("https://token@r.io/a", "https://r.io/a"),
        ("https://user:p@w@r.io/a", "https://r.io/a"),
        ("https://r.io/a?X-Amz-Signature=abc", "https://r.io/a"),
        ("https://r.io/a#pw", "https://r.io/a"),
        ("https://r.io?pw", "https://r.io"),
        ("http://[::1]:5000/a?b", "http://[::1]:5000/a"),
        ("/v2/a/blobs/uploads/1?_state=pw", "/v2/a/blobs/uploads/1"),
        ("//user:pw@r.io/a", "//r.io/a"),
        ("http://[::1/a?pw", "<unparsable URL>"),
        ("http://user:pw@[bad]/", "<unparsable URL>"),
        ("", ""),
    ],
)
def test_secrets_are_redacted(url, shown):
    assert redact_url(url) == shown


_words = st.text("abcé%@:./", max_size=8)


@given(_words, _words, _words)
@example("", "@//", "")
@example("//", "", "")
@example("", "@:/", "")
def test_secrets_in_urls_are_removed(user, password, query):
    secret = "S3CRET"
    url = f"https://{user}:{password}{secret}@r.io/a?{query}{secret}"
    # A user name with a slash ends the host: there is no user information then.
    if "/" not in user + password:
        assert secret not in redact_url(url)
    assert redact_url(redact_url(url)) == redact_url(url)
