"""Progress listeners: a bar on a terminal, lines in a log."""
