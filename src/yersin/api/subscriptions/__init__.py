"""Subscriptions of R4: programs are told of changes that match a search. Source: https://hl7.org/fhir/R4/subscription.html

A change and what is to be told of it are put down in one transaction, and struck out when it has been told: so
everything is told at least once, whatever is killed. Built are the channels rest-hook and websocket.
"""

from __future__ import annotations

from .delivering import Deliverer
from .following import Follower
from .letters import OPERATIONS
from .sockets import serve
from .tables import STEPS

__all__ = ["OPERATIONS", "STEPS", "Deliverer", "Follower", "serve"]
