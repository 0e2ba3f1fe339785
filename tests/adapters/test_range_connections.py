"""The settings for the number of connections of one large blob."""

from __future__ import annotations

import pytest

from oras_adapters.factory import compose
from oras_adapters.settings.settings import HostSettings, Settings, TransferSettings


@pytest.mark.parametrize(
    ("general", "host", "expected"),
    [(4, None, 4), (2, None, 2), (0, None, 1), (4, 1, 1), (4, 0, 1), (1, 8, 8)],
)
def test_host_has_its_own_number_of_range_connections(general, host, expected):
    settings = Settings(
        transfer=TransferSettings(range_connections=general),
        hosts={"reg.io": HostSettings(range_connections=host)},
    )
    composition = compose(settings)
    assert composition._profile("reg.io").range_connections == expected
    assert composition._profile("other.io").range_connections == max(general, 1)


def test_chunk_size_of_a_host_is_independent():
    composition = compose(Settings(hosts={"reg.io": HostSettings(chunk_size=5)}))
    profile = composition._profile("reg.io")
    assert (profile.chunked, profile.chunk_size, profile.range_connections) == (True, 5, 4)
