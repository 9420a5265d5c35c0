"""A teacher on the nodes of a Ray cluster: questions go there with their pictures, answers come back."""

import queue
from collections.abc import Callable
from typing import Any

from ..cluster import Cluster, LostWorker, RemoteWorker
from .teacher import Answer, Question, Teacher, TeacherError

TRIES = 3  # at one question whose worker was lost


class NodeTeacher:
    """Lives on the node; `make` makes its teacher there, so that weights load where they are used."""

    def __init__(self, make: Callable[[], Teacher]) -> None:
        self._make = make
        self._teacher: Teacher | None = None

    def model(self) -> str:
        return self._own().model

    def ask(self, question: Question) -> Answer:
        return self._own().ask(question)

    def _own(self) -> Teacher:
        # Not in __init__: there, its error would come as a lost worker.
        if self._teacher is None:
            self._teacher = self._make()
        return self._teacher


class RemoteTeacher:
    """`workers` teachers as one; as many threads may ask at once. `gpus`: of each."""

    def __init__(self, cluster: Cluster, make: Callable[[], Teacher], workers: int, gpus: int = 0) -> None:
        self._cluster, self._make, self._gpus = cluster, make, gpus
        self._idle: queue.LifoQueue[RemoteWorker] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(self._start())
        self.model = str(self._call("model"))

    def ask(self, question: Question) -> Answer:
        """As Teacher.ask. A question whose worker is lost is asked again, of a new one."""
        answer: Answer = self._call("ask", question)
        return answer

    def _call(self, method: str, *values: object) -> Any:
        worker, fault = self._idle.get(), ""
        try:
            for _ in range(TRIES):
                try:
                    return worker.call(method, *values)
                except LostWorker as e:
                    fault = str(e)
                    worker.kill()
                    worker = self._start()
        finally:
            self._idle.put(worker)
        raise TeacherError(f"{fault}; {TRIES} times: look into the nodes' memory and logs")

    def _start(self) -> RemoteWorker:
        return self._cluster.start(NodeTeacher, self._make, gpus=self._gpus)
