"""Narrative that shows is taken as it is; narrative that could act is refused."""

from __future__ import annotations

import pytest

from yersin import fhir
from yersin.fhir.narrative import XHTML, findings


def div(inner: str) -> str:
    return f'<div xmlns="{XHTML}">{inner}</div>'


SHOWS = [
    "plain &amp; simple &nbsp; &#160; &#xA0;",
    "<p>a<br/>b</p><!-- a comment -->",
    '<table class="grid" border="1"><tr><td colspan="2" style="color: red; padding: 2px">x</td></tr></table>',
    '<a href="https://moh.gov.vn/a?b=c&amp;d=e">x</a><a name="y"></a><a href="#y">z</a><a href="Patient/1">p</a>',
    '<img src="#pic" alt="x"/><img src="data:image/png;base64,AAAA"/><img src="https://x.vn/a.png"/>',
    "<h1>Đơn thuốc</h1><ul><li><b>Amoxicillin</b> 500&#160;mg</li></ul>",
]
ACTS = [
    "<script>alert(1)</script>",
    "<SCRIPT>alert(1)</SCRIPT>",
    '<p onclick="x()">a</p>',
    '<img src="x" onerror="x()"/>',
    '<a href="javascript:x()">a</a>',
    '<a href=" java&#10;script:x()">a</a>',
    '<a href="&#106;avascript:x()">a</a>',
    '<a href="data:text/html,x">a</a>',
    '<a href="vbscript:x">a</a>',
    '<img src="data:image/svg+xml;base64,AAAA"/>',
    '<p style="background: url(https://x.vn)">a</p>',
    '<p style="width: expression(x)">a</p>',
    '<p style="w\\69 dth: 1">a</p>',
    '<link rel="stylesheet" href="x"/>',
    "<style>p{}</style>",
    '<iframe src="https://x.vn"></iframe>',
    "<form><input/></form>",
    "<object></object>",
    "<svg><p>a</p></svg>",
    "<p>a",
    "<p>a</b></p>",
    "a < b",
    "a & b",
    "<![CDATA[<script>]]>",
    "<?php x ?>",
    "<p class=x>a</p>",
    "<!-- a -- b -->",
    "</div><script>x</script><div>",
    "</div><p>a</p>",
]


@pytest.mark.parametrize("inner", SHOWS)
def test_what_shows_is_kept_to_the_byte(inner: str) -> None:
    assert findings(div(inner)) == []
    narrative = fhir.r4.Narrative(status="generated", div=div(inner))
    patient = fhir.r4.Patient(text=narrative)
    assert fhir.parse(fhir.encode(patient)) == patient


@pytest.mark.parametrize("inner", ACTS)
def test_what_could_act_is_refused(inner: str) -> None:
    assert findings(div(inner))
    with pytest.raises(ValueError, match=r".{15,}"):
        fhir.r4.Narrative(status="generated", div=div(inner))


@pytest.mark.parametrize(
    "text", ["plain", "<p>a</p>", "<div>a</div>", '<?xml version="1.0"?>' + div("a"), "<!DOCTYPE html>" + div("a")]
)
def test_a_narrative_is_one_div_of_xhtml(text: str) -> None:
    assert "must be one <div" in findings(text)[0]


def test_a_long_narrative_is_read_in_linear_time() -> None:
    assert findings(div("<p>a</p>" * 50_000)) == []
    assert findings(div("<p " + 'class="a" ' * 50_000 + ">x</q>"))
