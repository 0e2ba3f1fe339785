"""How each program pushes, pulls and lists; `present` are those of this machine."""
