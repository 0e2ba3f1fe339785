"""The local disk: a file tree, its locks and its partial files."""
