"""Fetching the images of a task that has succeeded, and saying exactly what is missing."""

import contextlib
import functools
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from kling_nb import errors
from kling_nb.engine import backoff
from kling_nb.engine.crew import Crew
from kling_nb.engine.jobs import Job, failure_of, merge_images
from kling_nb.records import Failure, ImageRecord
from kling_nb.remote.download import DownloadFailed, Picture

if TYPE_CHECKING:
    from kling_nb.engine.runner import Runner

TRIES = 8
REASONS = 3
"""Reasons that are said; the grid has every image's own."""
NEW = 600.0
"""Seconds after its end for which a task's image that is not there may still be coming."""


class Collector:
    """Fetches images with a few threads.

    Parameters
    ----------
    runner : Runner
        Whose tasks they are.
    crew : Crew
        The threads.
    """

    def __init__(self, runner: "Runner", crew: Crew) -> None:
        self._runner = runner
        self._crew = crew

    def stop(self, join: float) -> None:
        """End the threads; what they fetch is fetched again by `resume`."""
        self._crew.stop(join)

    def collect(self, job: Job) -> None:
        """Begin to fetch what a task's record says is not saved.

        Parameters
        ----------
        job : Job
            ``succeeded``, with its images' URLs.
        """
        wanted = [image for image in job.record.images if image.path is None and image.url]
        with self._runner.changed:
            job.collecting = len(wanted)
        if not wanted:
            self._settle(job)
        for image in wanted:
            self._crew.do(functools.partial(self._one, job, image))

    def _one(self, job: Job, image: ImageRecord) -> None:
        try:
            result = self._obtain(job, image)
        except Exception as error:  # noqa: BLE001 - the other images must not suffer
            result = replace(image, problem=failure_of(error).message[:300])
        if self._runner.stopping and result.path is None:
            return
        with self._runner.changed:
            images = tuple(result if old.index == image.index else old for old in job.record.images)
            job.record = replace(job.record, images=images)
            job.collecting -= 1
            last = job.collecting == 0
        if last:
            self._settle(job)
        else:
            self._runner.announce(job)

    def _obtain(self, job: Job, image: ImageRecord) -> ImageRecord:
        found = job.store.saved_before(job.record, image)
        if found is not None:
            return found
        picture = self._fetch(job, image)
        fetched = replace(
            image,
            sha256=picture.sha256,
            media_type=picture.media_type,
            width=picture.width,
            height=picture.height,
            size=len(picture.data),
        )
        saved = job.store.save_image(job.record, fetched, picture.data)
        # The image is on disk; a thumbnail that cannot be made now is made when it is shown.
        with contextlib.suppress(Exception):
            if job.store.thumbnail(picture.sha256) is None:
                job.store.keep_thumbnail(picture.sha256, self._runner.thumbnail(picture.data))
        return saved

    def _fetch(self, job: Job, image: ImageRecord) -> Picture:
        url = image.url or ""
        for attempt in range(1, TRIES + 1):
            try:
                picture: Picture = self._runner.pictures.fetch(url)
                return picture
            except DownloadFailed as error:
                fresh, again = self._fresh_url(job, image.index, error) if error.stale else (None, error.again)
                if fresh not in (None, url):
                    url = fresh
                    continue
                if not again or attempt == TRIES or self._runner.stopping:
                    raise errors.ImagesMissing(f"Image {image.index + 1} {error}.") from None
            self._runner.pause(backoff.delay(attempt, first=0.5, longest=15.0, jitter=random.random()))  # noqa: S311
        raise errors.ImagesMissing(f"Image {image.index + 1} did not come.")

    def _fresh_url(self, job: Job, index: int, stale: DownloadFailed) -> tuple[str | None, bool]:
        """Ask for the task once more: gateways sign URLs anew when they are asked.

        Returns
        -------
        str or None, bool
            The URL, and whether to try again where it is no other: the question may have been lost.
        """
        try:
            state = self._runner.remote.query(job.record.task_id or job.record.external_task_id)
        except errors.KlingError as error:
            return None, not isinstance(error, errors.RequestRefused)
        fresh = {image.index: image.url for image in merge_images(job.record, state)}.get(index)
        return fresh, stale.again and self._runner.clock() - (job.record.finished_at or 0.0) < NEW

    def _settle(self, job: Job) -> None:
        record = job.record
        missing = [image for image in record.images if image.path is None]
        if missing:
            reasons = list(dict.fromkeys((image.problem or "did not come").rstrip(".") for image in missing))
            more = f"; and {len(reasons) - REASONS} more" if len(reasons) > REASONS else ""
            message = f"{len(missing)} of {record.n} images are missing: {'; '.join(reasons[:REASONS])}{more}."
            record = replace(record, failure=Failure("ImagesMissing", message))
        else:
            record = replace(record, saved_at=self._runner.clock(), failure=None)
        self._runner.advance(job, record, collected=True)
