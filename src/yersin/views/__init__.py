"""Flat tables for counting, fed by the change log."""
