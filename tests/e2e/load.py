"""A steady load on the API server: dry runs of good and bad pods, each evaluated by belay."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass

import objects
from cluster.webhook import VALIDATING


@dataclass(frozen=True)
class Failure:
    time: float  # of time.monotonic()
    said: str


class Load:
    """Runs while it is entered. `failures` are requests that got no verdict, `wrong` wrong verdicts."""

    def __init__(self, control_plane, namespace: str, threads: int, per_second: float | None = None) -> None:
        """`per_second` is the rate of all threads; left out, each goes as fast as it is answered."""
        self._control_plane, self._namespace = control_plane, namespace
        self._pause = threads / per_second if per_second else 0
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(threads)]
        self._end = threading.Event()
        self._changed = threading.Condition()
        self.admitted = self.denied = 0
        self.failures: list[Failure] = []
        self.wrong: list[str] = []
        self.seconds = 0.0

    def __enter__(self) -> Load:
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        self.seconds = time.monotonic() - self._begun

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Returns when that many more requests have been answered."""
        with self._changed:
            goal = self._done() + more
            assert self._changed.wait_for(lambda: self._done() >= goal, seconds), f"stuck; {self.failures[:3]}"

    def _done(self) -> int:
        return self.admitted + self.denied + len(self.failures)

    def _run(self, number: int) -> None:
        connection = self._control_plane.connection()
        path = f"/api/v1/namespaces/{self._namespace}/pods?dryRun=All"
        good = json.dumps(objects.pod(f"load-{number}"))
        bad = json.dumps(objects.pod(f"load-{number}", objects.BAD))
        try:
            due = time.monotonic()
            while not self._end.is_set():
                for body, expected in ((good, 201), (bad, 403)):
                    due = max(due + self._pause, time.monotonic() - 1)  # what was missed is made up for a second
                    self._end.wait(due - time.monotonic())
                    connection.request("POST", path, body)
                    answer = connection.getresponse()
                    self._note(answer.status, answer.read().decode(), expected)
        except Exception as error:
            with self._changed:
                self.failures.append(Failure(time.monotonic(), repr(error)))
                self._changed.notify_all()
        finally:
            connection.close()

    def _note(self, status: int, text: str, expected: int) -> None:
        with self._changed:
            denied = status == 403 and VALIDATING in text and "mutable-tag" in text
            if status == 201 or denied:
                self.admitted += status == 201
                self.denied += denied
                if status != expected:
                    self.wrong.append(text)
            else:
                self.failures.append(Failure(time.monotonic(), f"{status}: {text}"))
            self._changed.notify_all()
