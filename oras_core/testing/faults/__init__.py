"""Faults on request: transports that wrap another one, with the faults of registries and networks.

They compose, and are thread-safe. docs/testing.md lists them.
"""

from __future__ import annotations

from oras_core.testing.faults.access import ExpiringTokens, RedirectedBlobs
from oras_core.testing.faults.answers import (
    CompressedBodies,
    OtherHeaders,
    OtherStatus,
    Refused,
    RelativeLocations,
)
from oras_core.testing.faults.connections import (
    Delayed,
    ResetRequests,
    ResetResponses,
    StalledResponses,
)
from oras_core.testing.faults.fault import Fault, Scripted, requests_for
from oras_core.testing.faults.features import (
    WithoutMount,
    WithoutParameters,
    WithoutRange,
    WithoutReferrers,
)

__all__ = [
    "CompressedBodies",
    "Delayed",
    "ExpiringTokens",
    "Fault",
    "OtherHeaders",
    "OtherStatus",
    "RedirectedBlobs",
    "Refused",
    "RelativeLocations",
    "ResetRequests",
    "ResetResponses",
    "Scripted",
    "StalledResponses",
    "WithoutMount",
    "WithoutParameters",
    "WithoutRange",
    "WithoutReferrers",
    "requests_for",
]
