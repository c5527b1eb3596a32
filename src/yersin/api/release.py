"""Of which day this release is. The changelog of the project says so, too."""

from __future__ import annotations

#: the day on which what the server says of itself last changed
RELEASED = "2026-11-23"
