"""Several items in work at a time, their results in order."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def crew(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Iterator[Result]]:
    """Results of `work`, which must be safe in threads, in the order of `items`; so many threads call it.

    What `work` raises comes in the place of its result, and no item is begun after it. Where the block ends
    early by an Exception, it waits until what was begun is finished: answers in flight are paid for. Ctrl-C
    waits for nothing, which is why these are daemons and no ThreadPoolExecutor: that joins at exit.
    """
    if workers == 1:
        yield map(work, items)
        return
    results: list[Future[Result]] = [Future() for _ in items]
    todo, taking, over = iter(zip(items, results, strict=True)), threading.Lock(), threading.Event()

    def labour() -> None:
        while not over.is_set():
            with taking:
                item, result = next(todo, (None, None))
            if item is None or result is None:
                return
            try:
                result.set_result(work(item))
            except BaseException as e:  # noqa: BLE001 -- it is raised where the result is read
                over.set()
                result.set_exception(e)

    threads = [threading.Thread(target=labour, daemon=True) for _ in range(min(workers, len(items)))]
    for thread in threads:
        thread.start()
    try:
        yield (result.result() for result in results)
    except Exception:
        over.set()  # nothing more is begun
        for thread in threads:
            thread.join()
        raise
    finally:
        over.set()
