"""The page of apps in browsers: administrators add and remove origins, wrong ones and those already gone are told, others see nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid

from yersin.db import connect

PAGE = "/administration/origins"


def test_administrators_add_and_remove_apps(house):
    origin = f"https://{uuid.uuid4().hex}.example.org"
    person = house.signed_in("quantri")
    person.cookies.set("language", "vi")
    token = re.search(r'name="csrf_token" value="([^"]+)"', person.get(PAGE).text)
    assert token is not None
    form = {"csrf_token": token[1], "origin": origin, "name": "Biểu đồ"}
    wrong = person.post(PAGE, data={**form, "origin": f"{origin}/path"})
    assert wrong.status_code == 422
    assert "Đây không phải là một nguồn gốc" in wrong.text
    assert f'value="{origin}/path"' in wrong.text
    long = person.post(PAGE, data={**form, "origin": f"https://{'a' * 300}.example.org"})
    assert long.status_code == 422, "what is too long is told, not cut"
    assert person.post(PAGE, data=form).status_code == 303
    assert f"<strong>{origin}</strong>" in person.get(PAGE).text
    assert person.post(f"{PAGE}/remove", data=form).status_code == 303
    again = person.post(f"{PAGE}/remove", data=form)
    assert again.status_code == 409
    assert f"{origin} không còn được đăng ký" in again.text
    assert f"<strong>{origin}</strong>" not in again.text
    assert PAGE in person.get("/").text


def test_nobody_else_sees_it(house):
    person = house.signed_in("quantribv")
    assert person.get(PAGE).status_code == 403
    assert PAGE not in person.get("/").text


def test_each_change_is_recorded_by_whichever_door(house, run, keys_dir):
    origin = f"https://{uuid.uuid4().hex}.example.org"
    person = house.signed_in("quantri")
    token = re.search(r'name="csrf_token" value="([^"]+)"', person.get(PAGE).text)
    assert token is not None
    assert person.post(PAGE, data={"csrf_token": token[1], "origin": origin, "name": ""}).status_code == 303
    environment = {**os.environ, "YERSIN_DATABASE_URL": house.database_url, "YERSIN_DATA_DIR": str(keys_dir)}
    for words in (("remove", origin), ("add", origin)):
        subprocess.run([sys.executable, "-m", "yersin.app", "origins", *words], check=True, env=environment)

    async def recorded():
        database = await connect(house.database_url, max_size=1)
        try:
            return [tuple(row) for row in await database.fetch(sql, origin)]
        finally:
            await database.close()

    sql = "SELECT role, interaction, query FROM audit WHERE query LIKE '%' || $1 ORDER BY seq"
    assert run(recorded()) == [
        ("administrator", "write", f"origins/add?origin={origin}"),
        ("system", "write", f"origins/remove?origin={origin}"),
        ("system", "write", f"origins/add?origin={origin}"),
    ]
