"""Content in general: sources of bytes, verification, the graph, archives."""
