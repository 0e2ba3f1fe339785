"""What the rows of the security tables run on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from support.certificates import CertificateFiles
from support.hostile_certificates import write_hostile_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, CertificateFiles]:
    """Certificates by their fault; `right` are right."""
    return write_hostile_certificates(tmp_path_factory.mktemp("certificates"))
