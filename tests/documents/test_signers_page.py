"""A signer's certificate is revoked on the page: what was signed stays good, the next signature is made with a new one."""

from __future__ import annotations

import httpx
from tests.documents.test_verify_page import SON, pdf_at
from tests.telehealth.browserless import signed_in
from tests.telehealth.conftest import CAST, Api, accepted, asked, minutes_of

from yersin.documents.verifying import verify

PATH = "/telehealth/signers"


def signed(house, station, specialist):
    """The minutes of a new consultation, signed by the specialist."""
    path = asked(station, SON)
    accepted(specialist, path)
    specialist.get(f"{path}/minutes")
    specialist.post(f"{path}/minutes", minutes_of("sign", "Thêm amlodipin.", "Không cần."))
    return pdf_at(house, station, f"{path}/minutes.pdf")


def test_a_certificate_is_revoked_and_the_next_signature_makes_another(house):
    station, specialist = signed_in(house.base_url, "tram"), signed_in(house.base_url, "chuyengia")
    administrator, api = signed_in(house.base_url, "quantri"), Api(house.base_url, house.token())
    trust = [httpx.get(f"{house.base_url}/pki/root.cer").content]
    (before,) = verify(signed(house, station, specialist), trust)
    assert before.valid
    serial = f"{before.certificate_serial:x}"
    page = administrator.get(PATH)
    assert before.signer in page.words
    assert f"{PATH}/{serial}/revoke" in page.body

    assert administrator.post(f"{PATH}/{serial}/revoke", {"reason": "boredom"}).status == 422
    assert administrator.post(f"{PATH}/abc/revoke", {"reason": "keyCompromise"}).status == 404
    for _ in range(2):  # a double click
        page = administrator.post(f"{PATH}/{serial}/revoke", {"reason": "keyCompromise"})
    assert f"{PATH}/{serial}/revoke" not in page.body
    assert "The key may be in other hands" in page.words
    assert specialist.get(PATH).status == 403
    assert specialist.post(f"{PATH}/{serial}/revoke", {"reason": "keyCompromise"}).status == 403

    (after,) = verify(signed(house, station, specialist), trust)
    assert after.valid
    assert after.certificate_serial != before.certificate_serial
    assert after.signer == before.signer
    told = api.found(f"AuditEvent?entity=Practitioner/{CAST['chuyengia'].practitioner_id}&action=E")
    assert told, "who revoked whose certificate is recorded"
