"""Bearer tokens in the form that docker-registry verifies: a JWT signed by a known certificate."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

_COORDINATE_BYTES = 32  # of P-256; ES256 joins two of them (RFC 7518 section 3.4)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _compact_json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


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
        header = {
            "typ": "JWT",
            "alg": "ES256",
            "x5c": [base64.b64encode(self._certificate.public_bytes(Encoding.DER)).decode()],
        }
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
        signed = f"{_base64url(_compact_json(header))}.{_base64url(_compact_json(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = b"".join(part.to_bytes(_COORDINATE_BYTES, "big") for part in (r, s))
        return f"{signed}.{_base64url(signature)}"
