"""A measurement that a learner's page waits for, and what is said meanwhile."""

from explainer.kit.lab import LAB, TIME_LIMIT, QueueFull, Run
from explainer.kit.measure import Job
from explainer.kit.waiting import ended_line, queue_line
from explainer.prompt_caching.words import WORDS

Seconds = tuple[float, ...]


class Timed:
    """One thing is measured at a time: another one takes its place."""

    def __init__(self) -> None:
        self._job: Job[Seconds] | None = None
        self._run: Run[Seconds] | None = None
        self._refused = ""

    def look(self, job: Job[Seconds], steps: int) -> list[Seconds] | None:
        """The results of a job, `steps` of them, once all are there; begins it where it was not yet.

        A run that nobody has looked at for a while has been stopped: then it begins anew.
        """
        run = self._run_of(job)
        if run is None or (run.state == "stopped" and len(run.results) < steps):
            if self._run:
                self._run.stop()
            self._job, self._run, self._refused = job, None, ""
            try:
                self._run = run = LAB.submit(job)
            except QueueFull as error:
                self._refused = str(error)
                return None
        run.look()
        return None if run.active or len(run.results) < steps else run.results

    def waiting(self, job: Job[Seconds]) -> tuple[str, bool]:
        """What stands in the place of a time that is not there yet, and whether it will come."""
        run = self._run_of(job)
        if run is None:
            return (job == self._job and self._refused) or WORDS["measuring"], True
        if run.state == "failed":
            return run.error, False
        if run.state == "out of time":
            return ended_line(run.state, run.error, TIME_LIMIT), False
        ahead = LAB.place(run)
        return queue_line(ahead) if ahead else WORDS["measuring"], True

    def _run_of(self, job: Job[Seconds]) -> Run[Seconds] | None:
        return self._run if job == self._job else None
