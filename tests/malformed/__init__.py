"""Malformed, hostile and extreme models, made deterministically, and what runs the command line on them."""
