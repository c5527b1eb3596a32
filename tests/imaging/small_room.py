"""A small application with the routes that attach.ts and viewer.ts speak to: `python -m tests.imaging.small_room URL FOLDER PORT`."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import uvicorn
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException

from yersin import imaging
from yersin.blobs import FolderBlobs, Sealer, Uploads
from yersin.db import connect
from yersin.fhir import r4
from yersin.fhir.problem import Problem
from yersin.imaging import dicom_files, requests
from yersin.imaging.dicom_summary import summarise
from yersin.imaging.requests import Answered
from yersin.imaging.taking_in import Intake
from yersin.imaging.workshop import Workshop
from yersin.web import forms, shell
from yersin.web.frame import Frame
from yersin.web.site import assemble

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
HOA = r4.Patient(name=[r4.HumanName(text="Lê Thị Hoa")], birthDate="1962-08-14")
ME = "account-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    files: Annotated[tuple[UploadFile, ...], msgspec.Meta(title="Tệp")] = ()


@dataclass(frozen=True, slots=True)
class Nurse:
    display_name: str = "Trần Thu Hà"
    role_title: str = "Điều dưỡng"
    facility_name: str = "Trạm Y tế Suối Dầu"

    def may(self, permission: str) -> bool:
        return True


class SignedIn:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {}).update(access=Nurse(), session_id="session-1")
        await self.app(scope, receive, send)


def sent(answered: Answered) -> Response[bytes]:
    return Response(
        answered.content, status_code=answered.status, media_type=answered.media_type, headers=answered.headers
    )


def on_problem(_: Any, problem: Problem) -> Response[bytes]:
    return sent(requests.refused(problem))


@get("/attach", sync_to_thread=False)
def attach_page(request: shell.AnyRequest) -> Response[bytes]:
    return shell.page(
        request, "small/attach.html", bound=forms.blank(Attach), modules=["imaging/attach"], styles=["imaging/attach"]
    )


@get("/view/{address:str}", sync_to_thread=False)
def view_page(request: shell.AnyRequest, address: str) -> Response[bytes]:
    return shell.page(
        request, "small/view.html", prefix=f"/files/{address}", modules=["imaging/viewer"], styles=["imaging/viewer"]
    )


@post("/uploads")
async def start(request: Request[Any, Any, Any]) -> Response[bytes]:
    return sent(await requests.start(request.app.state.uploads, ME, await request.body()))


@get("/uploads/{upload_id:uuid}")
async def state(request: Request[Any, Any, Any], upload_id: UUID) -> Response[bytes]:
    return sent(await requests.state(request.app.state.uploads, ME, upload_id))


@post("/uploads/{upload_id:uuid}/pieces")
async def append(request: Request[Any, Any, Any], upload_id: UUID) -> Response[bytes]:
    if request.app.state.slow:
        await asyncio.sleep(request.app.state.slow)
    body = await request.body()
    return sent(await requests.append(request.app.state.uploads, ME, upload_id, dict(request.headers), body))


@post("/uploads/{upload_id:uuid}/cancel")
async def cancel(request: Request[Any, Any, Any], upload_id: UUID) -> Response[bytes]:
    return sent(await requests.cancel(request.app.state.uploads, ME, upload_id))


@post("/uploads/{upload_id:uuid}/finish")
async def finish(request: Request[Any, Any, Any], upload_id: UUID) -> Response[bytes]:
    confirmed = msgspec.json.decode(await request.body())["confirmed"]
    upload = await request.app.state.uploads.finish(upload_id, ME)
    taken = await request.app.state.intake.take(upload.blob, upload.name, HOA)
    if taken.differences and not confirmed:
        return sent(requests.confirm(taken))
    return sent(requests.ready(taken, href=f"/view/{taken.blob.address}", resource="Media/1"))


@get("/files/{address:str}")
async def facts(request: Request[Any, Any, Any], address: str) -> Response[bytes]:
    def look() -> Any:
        with request.app.state.uploads.blobs.open(address) as file:
            return summarise(dicom_files.read(file), ZONE)

    return sent(requests.viewer_facts(await asyncio.to_thread(look)))


@get("/files/{address:str}/frames/{number:int}")
async def frame(request: Request[Any, Any, Any], address: str, number: int) -> Response[bytes]:
    wish = requests.frame_wish(number, dict(request.query_params))
    return sent(requests.drawn(await request.app.state.intake.frame(address, wish.index, wish.window, wish.side)))


@get("/blank", sync_to_thread=False)
def blank() -> None:
    raise HTTPException(status_code=404)


def make(url: str, folder: Path, slow: float) -> Any:
    box = AESGCM(bytes(32))
    sealer = Sealer(
        seal=lambda plain: b"0" * 12 + box.encrypt(b"0" * 12, plain, None),
        open=lambda s: box.decrypt(s[:12], s[12:], None),
    )
    site = assemble(rooms=[Path(__file__).parent, Path(imaging.__file__).parent], menu=[], palette=[], secret=bytes(32))

    @asynccontextmanager
    async def life(app: Litestar) -> Any:
        database, workshop = await connect(url, max_size=4), Workshop()
        blobs = FolderBlobs(folder, sealer)
        app.state.uploads, app.state.intake, app.state.slow = (
            Uploads(database, blobs),
            Intake(blobs, workshop, ZONE),
            slow,
        )
        yield
        await workshop.close()
        await database.close()

    handlers = [*site.handlers, attach_page, view_page, start, state, append, cancel, finish, facts, frame, blank]
    app = Litestar(
        route_handlers=handlers,
        middleware=site.middleware,
        exception_handlers={**site.exception_handlers, Problem: on_problem},
        state=site.state,
        lifespan=[life],
        openapi_config=None,
        request_max_body_size=5 << 20,
    )
    return Frame(SignedIn(app))


if __name__ == "__main__":
    made = make(sys.argv[1], Path(sys.argv[2]), float(os.environ.get("SLOW", "0")))
    uvicorn.run(made, host="127.0.0.1", port=int(sys.argv[3]), log_level="warning")
