"""How the requests of a client or a backend are sent."""
