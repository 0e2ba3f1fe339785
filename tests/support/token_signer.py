"""Bearer tokens in the form that docker-registry verifies: a JWT signed by a known certificate."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


class TokenSigner:
    """A key with a certificate of its own, which signs tokens for one issuer.

    docker-registry 2.8 finds the key in the header's `x5c` and trusts it if the certificate is
    in its `rootcertbundle`.
    """

    def __init__(self, issuer: str) -> None:
        """Make a new key; `issuer` is the token's `iss`."""
        self.issuer = issuer
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self._key, hashes.SHA256())
        )

    def certificate_pem(self) -> bytes:
        """Return the content of the registry's `rootcertbundle`."""
        return self._certificate.public_bytes(Encoding.PEM)

    def sign(
        self, subject: str, audience: str, access: Sequence[Mapping[str, object]], lifetime: int
    ) -> str:
        """Return a token that grants `access` for `lifetime` seconds; below zero it has expired.

        docker-registry allows for clocks 60 seconds apart.
        """
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": audience,
            "exp": now + lifetime,
            "nbf": now - 1,
            "iat": now,
            "jti": uuid.uuid4().hex,
            "access": list(access),
        }
        certificate = base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": [certificate]})
