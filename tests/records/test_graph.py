"""Graphs: drawn without inline style, every value with its words, and never broken by odd series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from yersin.records.graph import Line, graph, nice, spark

START = datetime(2026, 1, 1, tzinfo=UTC)
values = st.lists(st.decimals(-1000, 1000, places=1), min_size=1, max_size=20)


@given(values, st.none() | st.decimals(0, 50, places=1))
def test_any_series_is_drawn_as_sound_svg_without_style(numbers: list[Decimal], low: Decimal | None) -> None:
    points = [(START + timedelta(days=n), value, "normal") for n, value in enumerate(numbers)]
    drawn = str(graph([Line(name="Glucose <máu>", points=points)], low, None, "label"))
    assert len(list(ET.fromstring(drawn).iter("circle"))) == len(numbers)  # noqa: S314 - our own output
    assert "style=" not in drawn
    assert "nan" not in drawn


@given(values)
def test_a_trend_needs_two_values(numbers: list[Decimal]) -> None:
    assert bool(spark(numbers)) == (len(numbers) > 1)


@given(st.floats(1e-6, 1e6))
def test_steps_are_one_two_or_five_times_a_power_of_ten(size: float) -> None:
    assert size <= nice(size) <= size * 2.51


def test_nothing_is_drawn_of_nothing() -> None:
    assert graph([], None, None, "label") == ""
