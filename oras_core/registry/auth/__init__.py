"""Authentication: challenges, scopes, tokens, and the credentials of each registry."""
