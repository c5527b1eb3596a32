"""Versions, history, id map and change log."""
