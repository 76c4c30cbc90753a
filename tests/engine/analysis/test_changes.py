"""What counts as a difference between two documents."""

from __future__ import annotations

from engine.analysis.changes import Change, changes

A = {"name": "a", "quantized": True, "feature_bits": 8, "cosine_avg": 0.95}


def test_layers_that_differ_in_the_order_of_now() -> None:
    before = [A, {**A, "name": "b"}, {**A, "name": "old"}]
    now = [{**A, "name": "new"}, {**A, "name": "b", "feature_bits": 12, "cosine_avg": 0.99}, A]
    assert changes(before, now) == [
        Change("new", "new", {}, now[0]),
        Change("b", "changed", {"feature_bits": (8, 12), "cosine_avg": (0.95, 0.99)}, now[1]),
        Change("old", "gone", {}, None),
    ]


def test_what_a_table_would_not_show_is_no_difference() -> None:
    assert changes([A], [{**A, "cosine_avg": 0.950001}]) == []
    assert changes([A], [{**A, "cosine_avg": 0.95001}]) != []
    assert changes([{**A, "cosine_avg": None}], [A]) != []
