"""For tests of this library and of those who embed it: contract suites and in-memory doubles."""
