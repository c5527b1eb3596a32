"""One of several web processes. The supervising process names this module alone, so that it need not hold the pages itself."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import TYPE_CHECKING

from yersin.settings import Settings

if TYPE_CHECKING:
    from .asgi import Application


def create(settings: Settings, url: str) -> Application:
    """Make the application. The process ends with the supervising one, even if that is killed."""
    from .asgi import Application  # noqa: PLC0415 - not in the supervising process

    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    return Application(settings, url)


def _end_with(other: BaseProcess) -> None:
    """Wait for the end of a process that never ends before us but when it is killed; then let go of the port at once."""
    other.join()
    os._exit(1)
