"""Loads the pack before any test module is imported."""

from pack import load_pack

load_pack()
