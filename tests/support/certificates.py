"""Certificates for registries on the loopback interface, signed by an authority of their own."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme
from attrs import frozen


@frozen
class CertificateFiles:
    """PEM files of one authority, one server and one client that it vouches for.

    The server certificate is valid for the name `localhost` and the address 127.0.0.1.
    """

    ca_file: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path

    def server_context(self, *, demands_client: bool = False) -> ssl.SSLContext:
        """Return the settings of a server that shows the server certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_certificate, self.server_key)
        if demands_client:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def write_certificates(directory: Path) -> CertificateFiles:
    """Issue the certificates and write them to `directory`."""
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    client = authority.issue_cert("client@example.org")
    files = CertificateFiles(
        ca_file=directory / "ca.pem",
        server_certificate=directory / "server.pem",
        server_key=directory / "server.key",
        client_certificate=directory / "client.pem",
        client_key=directory / "client.key",
    )
    authority.cert_pem.write_to_path(str(files.ca_file))
    for issued, certificate, key in (
        (server, files.server_certificate, files.server_key),
        (client, files.client_certificate, files.client_key),
    ):
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
    return files
