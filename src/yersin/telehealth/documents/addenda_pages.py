"""Routes of additions to signed minutes: the paper, and the other side's signature."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from yersin.telehealth import consultations, signing
from yersin.telehealth.answering import Answering
from yersin.telehealth.documents import addenda
from yersin.telehealth.documents.addenda import Addenda
from yersin.telehealth.reading import access_of
from yersin.telehealth.signing import Pen, Signing
from yersin.telehealth.staff import post_of
from yersin.web.shell import AnyRequest, redirect


@get("/telehealth/requests/{task:str}/additions/{paper:str}", opt={"permission": "chart.read"})
async def pdf(request: AnyRequest, task: FromPath[str], paper: FromPath[str]) -> Response[bytes]:
    """The signed addition (`<id>.pdf`), for both sides and the patient."""
    access = access_of(request)
    it = await consultations.load(access, task)
    document = await addenda.document_of(access, it, paper.removesuffix(".pdf"))
    headers = {"content-disposition": 'inline; filename="addition.pdf"', "cache-control": "no-store"}
    return Response(signing.pdf_of(document), media_type="application/pdf", headers=headers)


@post(
    "/telehealth/requests/{task:str}/additions/{paper:str}/countersign",
    opt={"permission": "telehealth.sign"},
    status_code=303,
)
async def countersign(request: AnyRequest, task: FromPath[str], paper: FromPath[str]) -> Redirect:
    """Sign what the other side added."""
    access = access_of(request)
    pen: Pen = request.app.state.pen
    await Addenda(Signing(Answering(access, await post_of(access)), pen)).countersign(task, paper)
    return redirect(f"/telehealth/requests/{task}")


HANDLERS: list[Any] = [pdf, countersign]
