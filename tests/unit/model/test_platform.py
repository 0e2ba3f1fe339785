from __future__ import annotations

import pytest
from hypothesis import given

from oras_core.errors import InvalidPlatformError
from oras_core.model.platform import Platform
from support import strategies


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("unknown/unknown", Platform("unknown", "unknown")),
    ],
)
def test_platform_is_parsed(text, platform):
    assert Platform.parse(text) == platform
    assert str(platform) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linux",
        "linux/",
        "/amd64",
        "linux//v8",
        "linux/arm/v7/x",
        "linux/amd64/",
        "linux/amd 64",
        "linux/amd64\n",
        "linux/-amd64",
        "lïnux/amd64",
        None,
        7,
    ],
)
def test_invalid_platform_is_refused(text):
    with pytest.raises(InvalidPlatformError, match="expected OS/ARCHITECTURE") as caught:
        Platform.parse(text)
    assert caught.value.value == text


@pytest.mark.parametrize(
    ("wish", "offer", "accepted"),
    [
        (Platform("linux", "amd64"), Platform("linux", "amd64"), True),
        (Platform("linux", "amd64"), Platform("windows", "amd64"), False),
        (Platform("linux", "amd64"), Platform("linux", "arm64"), False),
        # A variant left open is the architecture's usual one.
        (Platform("linux", "arm64"), Platform("linux", "arm64", "v8"), True),
        (Platform("linux", "arm64", "v8"), Platform("linux", "arm64"), True),
        (Platform("linux", "arm"), Platform("linux", "arm", "v7"), True),
        (Platform("linux", "arm"), Platform("linux", "arm", "v6"), False),
        (Platform("linux", "arm", "v6"), Platform("linux", "arm"), False),
        (Platform("linux", "amd64"), Platform("linux", "amd64", "v3"), False),
        (Platform("linux", "amd64"), Platform("linux", "amd64", ""), True),
        # What the wish leaves open is not compared.
        (Platform("windows", "amd64"), Platform("windows", "amd64", os_version="10.0"), True),
        (
            Platform("windows", "amd64", os_version="10.0"),
            Platform("windows", "amd64", os_version="10.1"),
            False,
        ),
        (Platform("windows", "amd64", os_version="10.0"), Platform("windows", "amd64"), False),
        (
            Platform("windows", "amd64"),
            Platform("windows", "amd64", os_features=("win32k",)),
            True,
        ),
        (
            Platform("windows", "amd64", os_features=("win32k",)),
            Platform("windows", "amd64", os_features=("x", "win32k")),
            True,
        ),
        (
            Platform("windows", "amd64", os_features=("win32k",)),
            Platform("windows", "amd64"),
            False,
        ),
    ],
)
def test_requested_platform_accepts_matching_platforms(wish, offer, accepted):
    assert wish.accepts(offer) is accepted


@given(strategies.platforms)
def test_every_platform_accepts_itself(platform):
    assert platform.accepts(platform)
    assert Platform.parse(str(platform)).accepts(platform)
