"""Registry clients side by side: the same work, one process each, in turns.

From what is measured to how it is shown: `workloads` says what is done, `material` makes the files,
`clients` know how each program does it, `measuring` runs one process, `tournament` lets the clients
take turns, `results` are the numbers, `table` and `plots` show them.
"""
