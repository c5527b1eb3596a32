"""What the house does for itself: files audit rows by patient, makes room for coming months, clears what has ended."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

from yersin import settings
from yersin.api.bulk import Exporter
from yersin.api.subscriptions import Deliverer, Follower
from yersin.api.subscriptions.outgoing import Caller
from yersin.guard import audit, reindexing, sealing
from yersin.guard.access import Ground
from yersin.jobs.periodic import Task

CLEARING = (
    "DELETE FROM session WHERE ends < now() OR seen < now() - interval '2 hours'",
    "DELETE FROM login_failure WHERE at < now() - interval '1 day'",
    "DELETE FROM draft WHERE saved_at < now() - interval '60 days'",
    "DELETE FROM care WHERE until < now() - interval '1 day'",
    "SELECT make_months('change_log', 2), make_months('audit', 2)",
)


#: folder of the data folder that heads of the audit are copied to
HEADS = "audit-heads"
#: audit rows filed at once; fewer wait for the next second, for they are found before they are filed
_FILED = 20_000


def filing(ground: Ground) -> Task:
    """File new audit rows by patient, every second."""

    async def work() -> bool:
        async with ground.database.transaction() as connection:
            return await audit.file_patients(connection, _FILED) == _FILED

    return Task(name="audit.filing", every=1.0, work=work)


def chaining(ground: Ground) -> Task:
    """Seal new audit rows, every second."""

    async def work() -> bool:
        async with ground.database.transaction() as connection:
            return await sealing.seal(connection, ground.keys) == sealing.LARGEST

    return Task(name="audit.sealing", every=1.0, work=work)


def copying(ground: Ground) -> Task:
    """Copy the newest head of the audit out, every minute."""
    folder = settings.read().data_dir / HEADS

    async def work() -> bool:
        async with ground.database.acquire() as connection:
            head = await sealing.newest(connection)
        if head is not None:
            await asyncio.to_thread(sealing.copy_out, folder, head, sealing.private_key(ground.keys).public_key())
        return False

    return Task(name="audit.heads", every=60.0, work=work)


def clearing(ground: Ground) -> Task:
    """Clear what has ended, every hour."""

    async def work() -> bool:
        for statement in CLEARING:
            await ground.database.execute(statement)
        return False

    return Task(name="house.clearing", every=3600.0, work=work)


def exporting(ground: Ground) -> Task:
    """Work on bulk exports, a file at a time."""
    chosen = settings.read()
    return Task(name="bulk.export", every=0.5, work=Exporter(ground, chosen.data_dir, chosen.export_hours).work)


def following(ground: Ground) -> Task:
    """Put down what is to be told to whom."""
    return Task(name="subscriptions.following", every=0.5, work=Follower(ground).work)


def delivering(ground: Ground) -> Task:
    """Tell it."""
    caller = Caller(inside=[ip_network(each) for each in settings.read().hook_networks])
    return Task(name="subscriptions.delivering", every=0.5, work=Deliverer(ground, caller).work)


def indexing(ground: Ground) -> Task:
    """Make anew what resources are found by, a batch at a time: for new search parameters, and where somebody asked."""

    async def work() -> bool:
        return await reindexing.work(ground)

    return Task(name="index.walking", every=1.0, work=work)


TASKS = (filing, chaining, copying, clearing, exporting, following, delivering, indexing)
