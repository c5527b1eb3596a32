"""PDF documents: pages counted, whatever acts by itself refused, damaged and locked ones told apart."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.imaging.makers import pdf

from yersin.fhir.problem import Problem
from yersin.imaging.pdfs import inspect


@pytest.mark.parametrize("pages", [1, 7])
def test_a_plain_pdf_is_taken(pages: int) -> None:
    assert inspect(pdf(pages=pages)).pages == pages


@pytest.mark.parametrize(
    ("catalog", "objects", "reason"),
    [
        ("/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>", (), "JavaScript"),
        ("/OpenAction 4 0 R", ("<< /S /JavaScript /JS (x) >>",), "JavaScript"),
        (
            "/AA << /WC 4 0 R >>",
            ("<< /Next 5 0 R /S /GoTo >>", "<< /S /Launch /F (cmd.exe) >>"),
            "starts other programs",
        ),
        ("/Names << /EmbeddedFiles << /Names [] >> >>", (), "holds other files"),
        ("/AcroForm << /XFA [] >>", (), "XFA"),
        ("/OpenAction << /S /SubmitForm /F (http://x) >>", (), "sends data away"),
        ("/Extra [ [ [ << /S /#4aavaScript >> ] ] ]", (), "JavaScript"),
    ],
)
def test_a_pdf_that_acts_by_itself_is_refused(catalog: str, objects: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Problem, match=reason):
        inspect(pdf(catalog, objects))


def test_a_circle_of_objects_ends() -> None:
    assert inspect(pdf("/Loop 4 0 R", ("<< /Back 1 0 R /Self 4 0 R >>",))).pages == 1


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\n", b"%PDF-1.7 nothing else", pdf()[:120], pdf(pages=1).replace(b"/Count 1", b"/Count 0")]
)
def test_a_damaged_pdf_is_refused(content: bytes) -> None:
    with pytest.raises(Problem, match="cannot be opened"):
        inspect(content)


@settings(deadline=None, max_examples=150)
@given(at=st.integers(0, 10**6), put=st.binary(min_size=1, max_size=12))
def test_a_changed_pdf_is_a_document_or_a_problem(at: int, put: bytes) -> None:
    raw = bytearray(pdf("/OpenAction << /S /GoTo >>", ("[1 2 (three)]",)))
    at %= len(raw)
    raw[at : at + len(put)] = put
    with contextlib.suppress(Problem):  # nothing else may come out
        inspect(bytes(raw))
