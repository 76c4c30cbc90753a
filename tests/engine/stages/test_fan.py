"""Fan-out keeps order, holds few results, and stops cleanly."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.stages.fan import in_order


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_whatever_takes_how_long(workers: int) -> None:
    first = threading.Event()

    def work(item: int) -> int:
        if item == 0 and workers > 1:
            first.wait(10)  # the first one is finished last
        if item == 1:
            first.set()
        return item * item

    if not workers:
        assert list(in_order(work, range(9), None)) == [i * i for i in range(9)]
        return
    with ThreadPoolExecutor(workers) as pool:
        assert list(in_order(work, range(9), pool)) == [i * i for i in range(9)]
        assert list(in_order(work, [], pool)) == []


def test_no_more_is_taken_than_can_be_held() -> None:
    taken: list[int] = []

    def items() -> object:
        for i in range(100):
            taken.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool:
        results = in_order(lambda i: i, items(), pool, ahead=3)  # type: ignore[arg-type]
        assert taken == []
        for count in range(1, 20):
            next(results)
            assert len(taken) <= count + 3
        results.close()
    assert len(taken) < 25


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failure_reaches_the_caller_in_its_place(workers: int) -> None:
    done: list[int] = []

    def work(item: int) -> int:
        if item == 3:
            raise ValueError("the fourth")
        done.append(item)
        return item

    pool = ThreadPoolExecutor(workers) if workers else None
    try:
        results = in_order(work, range(1000), pool, ahead=4)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="the fourth"):
            next(results)
        assert len(done) < 12
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def test_closing_cancels_what_has_not_begun() -> None:
    go = threading.Event()
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item:
            go.wait(10)
        return item

    with ThreadPoolExecutor(1) as pool:
        results = in_order(work, range(50), pool, ahead=8)
        assert next(results) == 0
        results.close()
        go.set()
    assert len(begun) <= 2
