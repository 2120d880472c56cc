"""Something -> IR."""
