"""What the tests share: programs, servers and doubles."""
