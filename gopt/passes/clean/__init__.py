"""Cleaning: what computes nothing is bypassed, what nobody needs goes, what is there twice becomes one."""

from __future__ import annotations

MODULES = ("dead", "identity", "contents", "duplicates", "shared")
