"""The table of settings is complete and true."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import NOTHING, fields

from oras_adapters.settings import settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"

SECTIONS = {
    "credentials": settings.CredentialSettings,
    "network": settings.NetworkSettings,
    "tls": settings.TlsSettings,
    "proxy": settings.ProxySettings,
    "transfer": settings.TransferSettings,
    "archive": settings.ArchiveSettings,
    "cache": settings.CacheSettings,
    'hosts."HOST"': settings.HostSettings,
}


def rows():
    pattern = re.compile(r"^\| `([^`]+)` \| `(\w+)` \| (.+?) \| .+ \|$", re.MULTILINE)
    return {
        (section, name): default for section, name, default in pattern.findall(DOCUMENT.read_text())
    }


def test_every_setting_has_a_row_and_every_row_a_setting():
    known = {(section, field.name) for section, kind in SECTIONS.items() for field in fields(kind)}
    assert set(rows()) == known


def test_numbers_and_booleans_are_the_defaults():
    for (section, name), shown in rows().items():
        default = getattr(fields(SECTIONS[section]), name).default
        if isinstance(default, bool):
            assert shown == str(default).lower(), name
        elif isinstance(default, int | float):
            assert shown == str(default), name
        elif isinstance(default, tuple) and default:
            assert shown == ", ".join(f"`{item}`" for item in default), name
        else:
            assert default is not NOTHING, name
