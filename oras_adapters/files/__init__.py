"""File trees on the local disk, with locks and partial files."""
