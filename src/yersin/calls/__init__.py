"""Video consultations: seats, signals, invitations and recordings. Media goes from browser to browser, never through here.

State lives in PostgreSQL, so a server that restarts ends no call. Source: https://www.w3.org/TR/webrtc/
"""

from __future__ import annotations

from yersin.calls.tables import DDL

__all__ = ["DDL"]
