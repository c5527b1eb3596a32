"""XML in and out. Source: https://hl7.org/fhir/R4/xml.html"""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from tests.conformance.outcomes import Tally

from yersin.fhir import parse, xml
from yersin.fhir.problem import Problem

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">a <b class="x">b</b> &amp; c<br/></div>'
PATIENT = """<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://hl7.org/fhir ../x.xsd">
  <id value="x"/>
  <text><status value="generated"/>{div}</text>
  <contained><Organization><id value="o"/><name value="Trạm &quot;1&quot; &lt;&amp;&gt;&#xA;."/></Organization></contained>
  <extension url="urn:e"><valueBoolean value="true"/></extension>
  <name id="n1">
    <given value="A"/>
    <given id="g2"><extension url="urn:x"><valueDecimal value="1.50"/></extension></given>
    <given value="C"><extension url="urn:x"><valueInteger value="-7"/></extension></given>
  </name>
  <birthDate><extension url="urn:absent"><valueCode value="unknown"/></extension></birthDate>
  <multipleBirthInteger value="2"/>
</Patient>"""


def examples(shared: Path) -> list[Any]:
    folder = shared / "fhir-r4/examples"
    return [json.loads(line, parse_float=Decimal) for f in sorted(folder.glob("*.ndjson.gz")) for line in gzip.open(f)]


def canonical(value: Any) -> Any:
    """JSON with narratives in the one spelling of canonical XML."""
    if isinstance(value, dict):
        return {k: _spelled(v) if k == "div" and isinstance(v, str) else canonical(v) for k, v in value.items()}
    return [canonical(each) for each in value] if isinstance(value, list) else value


def _spelled(div: str) -> str:
    known = re.sub(r"&([A-Za-z]+);", xml._unnamed, div.strip())
    parser = etree.XMLParser(remove_comments=True, remove_pis=True)
    return str(etree.tostring(etree.fromstring(known, parser), method="c14n").decode())


def test_every_example_comes_back_as_it_was(shared: Path, tally: Tally) -> None:
    count = 0
    for example in examples(shared):
        raw = xml._encode(example)
        for pretty in (False, True):
            again = xml.read(xml.write(raw, pretty=pretty))
            parse(again)
            assert canonical(json.loads(again, parse_float=Decimal)) == canonical(json.loads(raw, parse_float=Decimal))
        count += 1
    assert count > 300
    tally(count)


def test_what_xml_says_stands_in_json() -> None:
    found = json.loads(xml.read(PATIENT.format(div=DIV).encode()), parse_float=Decimal)
    assert found == {
        "resourceType": "Patient",
        "id": "x",
        "text": {"status": "generated", "div": DIV},
        "contained": [{"resourceType": "Organization", "id": "o", "name": 'Trạm "1" <&>\n.'}],
        "extension": [{"url": "urn:e", "valueBoolean": True}],
        "name": [
            {
                "id": "n1",
                "given": ["A", None, "C"],
                "_given": [
                    None,
                    {"id": "g2", "extension": [{"url": "urn:x", "valueDecimal": Decimal("1.50")}]},
                    {"extension": [{"url": "urn:x", "valueInteger": -7}]},
                ],
            }
        ],
        "_birthDate": {"extension": [{"url": "urn:absent", "valueCode": "unknown"}]},
        "multipleBirthInteger": 2,
    }
    assert str(found["name"][0]["_given"][1]["extension"][0]["valueDecimal"]) == "1.50"
    parse(xml.read(PATIENT.format(div=DIV).encode()))


def test_written_xml_has_the_order_and_namespaces_of_the_specification() -> None:
    raw = json.dumps(
        {
            "birthDate": "2000",
            "active": False,
            "resourceType": "Patient",
            "text": {"div": '<div xmlns="http://www.w3.org/1999/xhtml">a&nbsp;b</div>', "status": "generated"},
            "id": "x",
        }
    )
    text = xml.write(raw.encode()).decode()
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="x"/><text><status value="generated"/>'
        '<div xmlns="http://www.w3.org/1999/xhtml">a\xa0b</div></text><active value="false"/><birthDate value="2000"/></Patient>'
    )
    control = json.dumps({"resourceType": "Basic", "language": "a\uffffb\t"}).encode()
    assert 'value="a\ufffdb&#x9;"' in xml.write(control).decode()


_BAD = {
    "no XML": "hello",
    "cut off": "<Patient {ns}>",
    "another namespace": '<Patient xmlns="urn:x"/>',
    "no namespace": "<Patient/>",
    "no resource": "<Spaceship {ns}/>",
    "unknown element": '<Patient {ns}><nonsense value="1"/></Patient>',
    "unknown attribute": '<Patient {ns}><active value="true" x="1"/></Patient>',
    "attribute of the resource": '<Patient {ns} id="x"/>',
    "text": "<Patient {ns}><active>true</active></Patient>",
    "text between": '<Patient {ns}>x<active value="true"/></Patient>',
    "text behind": '<Patient {ns}><active value="true"/>x</Patient>',
    "nothing": "<Patient {ns}><active/></Patient>",
    "twice": '<Patient {ns}><active value="true"/><active value="true"/></Patient>',
    "order": '<Patient {ns}><birthDate value="2000"/><active value="true"/></Patient>',
    "boolean": '<Patient {ns}><active value="1"/></Patient>',
    "integer": '<Patient {ns}><multipleBirthInteger value="1.0"/></Patient>',
    "date": '<Patient {ns}><birthDate value="2000-02-30"/></Patient>',
    "decimal": "<Extension {ns}/>",
    "number": '<Location {ns}><position><longitude value=".5"/><latitude value="1"/></position></Location>',
    "id as an element": '<Patient {ns}><name><id value="x"/></name></Patient>',
    "two resources": '<Bundle {ns}><type value="collection"/><entry><resource><Basic/><Basic/></resource></entry></Bundle>',
    "script": '<Patient {ns}><text><status value="generated"/><div {xhtml}><script/></div></text></Patient>',
    "entity": '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><Patient {ns}><id value="&x;"/></Patient>',
    "bomb": '<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><Patient {ns}><id value="&b;"/></Patient>',
    "other DTD": '<!DOCTYPE Patient SYSTEM "http://127.0.0.1:9/x.dtd"><Patient {ns}/>',
    "exponent": '<Location {ns}><position><longitude value="1e-99999999999999999999"/></position></Location>',
    "deep": "<Patient {ns}>" + '<extension url="u">' * 5000 + "</extension>" * 5000 + "</Patient>",
    "undeclared entity": '<Patient {ns}><id value="&x;"/></Patient>',
}  # fmt: skip
BAD = {
    what: body.replace("{ns}", 'xmlns="http://hl7.org/fhir"').replace("{xhtml}", 'xmlns="http://www.w3.org/1999/xhtml"')
    for what, body in _BAD.items()
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused(body: str) -> None:
    with pytest.raises(Problem) as refused:
        parse(xml.read(body.encode()))
    assert refused.value.issues[0].diagnostics
    assert "passwd" not in str(refused.value)


def test_other_encodings_hide_nothing() -> None:
    entity = BAD["entity"]
    for raw in (entity.encode("utf-16"), f'<?xml version="1.0" encoding="UTF-7"?>{entity}'.encode(), b"\xff\xfe<"):
        with pytest.raises(Problem):
            xml.read(raw)


def test_too_many_tags_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MOST", 100)
    body = '<Patient xmlns="http://hl7.org/fhir">' + '<name><text value="x"/></name>' * 50 + "</Patient>"
    with pytest.raises(Problem) as refused:
        xml.read(body.encode())
    assert refused.value.status == 413
