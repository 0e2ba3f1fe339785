"""The core's ports on sockets, processes, disks and keyrings, and the factory that wires them."""
