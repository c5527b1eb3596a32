"""The demo country: invented people, facilities and histories, the same from the same seed."""
