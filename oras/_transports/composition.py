"""`composition_for`: the adapters of the user's settings, with a client's TLS verification."""

from __future__ import annotations

from attrs import evolve

from oras_adapters.composition import Parts
from oras_adapters.settings.settings import TlsSettings, chosen_settings

__all__ = ["composition_for"]


def composition_for(
    verify: bool | str, timeout: float | tuple[float, float] | None = None
) -> Parts:
    """Compose from the user's settings, with the given certificate verification.

    Args:
        verify: True to follow the settings, False to verify no certificate, or the path of
            a CA bundle.
        timeout: seconds for each step, or for connecting and for reading; None to follow the
            settings.
    """
    settings = chosen_settings(None, timeout=timeout)
    if verify is not True:
        bundle = verify if isinstance(verify, str) else ""

        # The program's choice overrides all settings, including those of a single host.
        def decided(tls: TlsSettings) -> TlsSettings:
            return evolve(tls, verify=bool(verify), ca_bundle=bundle)

        hosts = {
            name: evolve(host, tls=host.tls and decided(host.tls))
            for name, host in settings.hosts.items()
        }
        settings = evolve(settings, tls=decided(settings.tls), hosts=hosts)
    return Parts(settings)
