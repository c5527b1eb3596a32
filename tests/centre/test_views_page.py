"""What the page of kept views lets people choose."""

from __future__ import annotations

from yersin.centre import views_pages
from yersin.views.kept import Source
from yersin.web import templating
from yersin.web.forms import Field


def test_a_view_that_is_being_filled_waits_and_is_not_chosen():
    found = [Source(view=name, relation=name, digest="", filled=name != "post") for name in ("person", "post")]
    options = views_pages.options(found)
    assert [(view, bool(waits)) for view, _, _, waits in options] == [("person", False), ("post", True)]
    ui = templating.Components(templating.build([]))
    shown = ui.checkboxes(Field(name="view", label="Views", texts=("person", "post")), options)
    assert 'value="person" checked' in shown
    assert 'value="post" disabled' in shown
    assert shown.count('class="badge warn"') == 1
