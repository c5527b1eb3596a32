"""Facilities, workforce, persons and administrative units."""
