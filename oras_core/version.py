"""The version of the distribution: its metadata is made from this line.

Reading it from the installed metadata would cost every program about 15 ms.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.3.0"
