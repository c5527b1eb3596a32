"""The video consultation's pages: waiting room, call, chat, recording, and the link for a third person."""

from __future__ import annotations

from yersin.telehealth.calling.door import Beside, Calling, Door
from yersin.telehealth.calling.routes import HANDLERS

__all__ = ["HANDLERS", "Beside", "Calling", "Door"]
