"""Whatever a password contains, and wherever its URL stands, no part of it is shown (K10)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oras_core.errors.redaction import one_line, redact_name, redact_text, redact_url

SECRET = "SeCrEt"

_ends_of_hosts = st.text("0123456789:/?#@[]%\\&=+!$ ab\t\n\u00e9;", max_size=6)
passwords = st.builds(lambda before, after: f"{before}{SECRET}{after}", *[_ends_of_hosts] * 2)
schemes = st.sampled_from(
    ["http://", "HTTPS://", "socks5h://", "oras://", "", "//", "http:/", "http:", "http:\\\\"]
)
hosts = st.sampled_from(
    ["h", "h:80", "h/", "h/p?q#f", "[::1]:80", "h:5000/team/app@sha256:" + "a" * 64]
)
users = st.text("ab0:%\u00e9.", max_size=4)


@pytest.mark.parametrize("redact", [redact_url, redact_name])
@given(schemes, users, passwords, hosts)
@example("http://", "u", f"12/{SECRET}", "h")
@example("http://", "u", f"1?{SECRET}", "h")
@example("http://", "u", f"p@{SECRET}?x", "h")
@example("", "", f"{SECRET}?", "h")
@example("", "", f"//{SECRET}", "h")
def test_no_part_of_a_password_is_shown(redact, scheme, user, password, host):
    assert SECRET not in redact(f"{scheme}{user}:{password}@{host}")


@given(schemes.filter(lambda scheme: "://" in scheme), users, passwords, hosts)
@example("http://", "u", f"12/{SECRET}", "h")
@example("http://", "u", f"a b{SECRET}", "h")
def test_no_part_of_a_password_is_shown_in_a_text(scheme, user, password, host):
    url = f"{scheme}{user}:{password}@{host}"
    for text in (url, f"cannot reach '{url}': refused", f"see http://h/ and {url} (Errno 1)"):
        assert SECRET not in redact_text(text)


@given(st.text("ab/?=&#;:@", max_size=12))
def test_no_query_is_shown_in_a_text(query):
    for url in ("https://r.io/a", "/v2/a", "oci://h:1"):
        assert SECRET not in redact_text(f"GET {url}?{query}{SECRET} failed")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://r.io/docs, or ask!", "see https://r.io/docs, or ask!"),
        ("why? nobody knows", "why? nobody knows"),
        ("mail admin@r.io about http://h:80/x", "mail admin@r.io about http://h:80/x"),
        ("bad: Bearer abcdefgh.ijkl", "bad: Bearer <hidden>"),
        ("(http://h/a?sig=1)", "(http://h/a)"),
        ("a\x1b[31mb\r\nc\u202ed", "a [31mb c d"),
    ],
)
def test_other_words_stay(text, shown):
    assert redact_text(text) == shown


@given(st.text())
def test_one_line_is_printable(text):
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line
    assert redact_text(text).isprintable()
