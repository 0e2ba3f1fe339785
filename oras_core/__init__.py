"""The pure core: the domain of OCI artifacts and the use cases, without any I/O."""

from __future__ import annotations

__all__ = ["__version__"]

# The one place that says it; the distribution's metadata is made from it. Reading it back from
# there would cost every program some 15 ms.
__version__ = "0.3.0"
