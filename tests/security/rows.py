"""All rows of the security tables."""

from __future__ import annotations

import rows_archives
import rows_configuration
import rows_content
import rows_credentials
import rows_faults
import rows_paths
import rows_pushing
import rows_resuming
import rows_zstd

__all__ = ["ROWS"]

ROWS = [
    *rows_paths.ROWS,
    *rows_resuming.ROWS,
    *rows_archives.ROWS,
    *rows_zstd.ROWS,
    *rows_content.ROWS,
    *rows_credentials.ROWS,
    *rows_configuration.ROWS,
    *rows_pushing.ROWS,
    *rows_faults.ROWS,
]
