"""An `HttpTransport` behind a loopback socket: a registry for development and tests.

`python -m oras_adapters.registry_server` runs one for any client. It listens on the
loopback interface only.
"""

from __future__ import annotations

from oras_adapters.registry_server.server import RegistryServer

__all__ = ["RegistryServer"]
