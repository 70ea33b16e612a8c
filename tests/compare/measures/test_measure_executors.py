"""Measuring on whatever executor: threads, processes, a Dask cluster; and what happens when one gives up."""

import copyreg
import multiprocessing
import pickle
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from kling_nb.compare.measures import running, sending
from kling_nb.compare.measures.sharp import sharpness
from kling_nb.errors import InvalidRequest, WaitInterrupted


def wide(image, references, request):
    return {"width": image.width, "reference": references[0].image.width, "n": request["n"]}


def one(image, references, request):
    return 1


class Inline(Executor):
    """Does its work at once, on what comes out of a pickle, as a worker elsewhere would."""

    def __init__(self, before=lambda number: None):
        self.jobs = []
        self._before = before

    def submit(self, function, job):
        self._before(len(self.jobs))
        self.jobs.append(pickle.loads(pickle.dumps(job)))
        future = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(function(self.jobs[-1]))
        except BaseException as error:
            future.set_exception(error)
        return future


def test_threads_give_what_this_thread_gives(study):
    with ThreadPoolExecutor(2) as executor:
        found = study.measure(wide, executor=executor)
    assert len(found.values) == 8
    assert all(value == {"width": 512, "reference": 320, "n": 2} for value in found.values.values())
    assert list(found.values) == list(study.measure("sharpness").values)


def test_another_executor_is_sent_bytes_and_each_reference_once_a_task(study, cat):
    executor = Inline()
    found = study.measure(wide, executor=executor)
    assert all(value == {"width": 512, "reference": 320, "n": 2} for value in found.values.values())
    assert [len(job.calls) for job in executor.jobs] == [2] * 4
    by_hash = {image.bytes for image in study.images}
    assert {data for job in executor.jobs for (data,) in job.calls} == by_hash
    assert all(job.references[0]._source == cat for job in executor.jobs)
    # What a built-in does not look at is not sent.
    study.measure("sharpness", executor=executor)
    assert all(job.references[0]._source is None for job in executor.jobs[4:])
    assert len(executor.jobs) == 8


def test_large_tasks_are_sent_in_portions(study, monkeypatch):
    monkeypatch.setattr(running, "_JOB_BYTES", 1)
    executor = Inline()
    assert len(study.measure(wide, executor=executor).values) == 8
    assert [len(job.calls) for job in executor.jobs] == [1] * 8


@pytest.mark.parametrize(("most_jobs", "most_bytes"), [(2, 10**9), (1000, 1)])
def test_only_so_much_is_under_way(study, monkeypatch, most_jobs, most_bytes):
    monkeypatch.setattr(sending, "_MOST_JOBS", most_jobs)
    monkeypatch.setattr(sending, "_MOST_BYTES", most_bytes)

    class Elsewhere(Executor):
        """Threads that know nothing of our disk, and say nothing of how many they are."""

        def __init__(self):
            self.most = self.flying = 0
            self.lock = threading.Lock()
            self.pool = ThreadPoolExecutor(2)

        def submit(self, function, job):
            with self.lock:
                self.flying += 1
                self.most = max(self.most, self.flying)
            return self.pool.submit(function, job)

        def landed(self):
            with self.lock:
                self.flying -= 1

    executor = Elsewhere()
    taken = sending._keep_all

    def keep_all(units, found, keep):
        executor.landed()
        taken(units, found, keep)

    monkeypatch.setattr(sending, "_keep_all", keep_all)
    with executor.pool:
        assert len(study.measure(wide, executor=executor).values) == 8
    assert executor.most == (2 if most_jobs == 2 else 1)


def test_an_image_whose_file_is_gone_is_not_sent(study):
    study.images[0].path.unlink()
    executor = Inline()
    found = study.measure(wide, executor=executor)
    assert len(found.values) == 7
    assert [each.kind for each in found.failures.values()] == ["WorkspaceError"]
    assert [len(job.calls) for job in executor.jobs] == [1, 2, 2, 2]


def test_a_reference_that_is_gone_is_a_failure_only_where_it_is_looked_at(study, new_kernel, new_kling):
    new_kernel()
    study = new_kling().comparison(study.id)
    for path in (study.session.workspace.folder / "references").iterdir():
        path.unlink()
    with pytest.raises(InvalidRequest, match=r"The first failure: ValueError: The stored reference .* is missing"):
        study.measure(wide, executor=Inline())
    assert len(study.measure(one, executor=Inline()).values) == 8


def test_an_interrupt_keeps_what_has_come_and_sends_nothing_more(study, counting):
    def interrupted(number):
        if number == 3:
            raise KeyboardInterrupt

    executor = Inline(interrupted)
    with pytest.raises(WaitInterrupted, match=r"^wide: 6 of 8 images measured and kept"):
        study.measure(wide, executor=executor)
    assert len(study.measures["wide"].values) == 6
    rest = Inline()
    assert len(study.measure(wide, executor=rest).values) == 8
    assert len(rest.jobs) == 1


def test_an_interrupt_takes_back_what_has_not_begun(study, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def waiting(image, references, request):
        begun.set()
        assert go_on.wait(20)
        return 1

    class Interrupted:
        def put(self, future):
            pass

        def get(self):
            assert begun.wait(20)
            raise KeyboardInterrupt

    monkeypatch.setattr(sending, "SimpleQueue", Interrupted)
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(WaitInterrupted, match=r"^waiting: 0 of 8"):
            study.measure(waiting, version=1, executor=executor)
        # One is at it and one was waiting; that one never begins.
        assert executor._work_queue.qsize() <= 1
        go_on.set()
    assert study.measures == {}


def test_an_executor_that_was_shut_down_is_one_clear_line(study):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(InvalidRequest) as caught:
        study.measure(wide, executor=executor)
    assert caught.value.message == (
        "The executor takes no work (RuntimeError: cannot schedule new futures after shutdown)."
    )
    assert caught.value.money == "What was measured is kept, and measured once."
    assert "an executor that is open" in caught.value.advice


def test_what_came_before_an_executor_broke_is_kept(study):
    def broken(number):
        if number == 2:
            raise MemoryError("no room")

    class Breaking(Inline):
        def submit(self, function, job):
            try:
                return super().submit(function, job)
            except MemoryError as error:
                future = Future()
                future.set_exception(error)
                return future

    with pytest.raises(InvalidRequest, match=r"The executor could not do its work \(MemoryError: no room\)"):
        study.measure(wide, executor=Breaking(broken))
    assert len(study.measures["wide"].values) == 4
    assert len(study.measure(wide).values) == 8


def test_work_that_an_executor_gave_up_is_one_clear_line(study):
    class GivingUp(Executor):
        def submit(self, function, job):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(InvalidRequest, match="The executor gave up what it was given"):
        study.measure(wide, executor=GivingUp())


def test_a_client_instead_of_its_executor_is_advised(study):
    class Client:
        def get_executor(self):
            raise AssertionError

    with pytest.raises(
        InvalidRequest, match=r"must be a concurrent\.futures\.Executor\.\nGive executor=client\.get_ex"
    ):
        study.measure(wide, executor=Client())


def test_processes_measure_a_function_that_they_can_import(study, tmp_path, monkeypatch):
    (tmp_path / "my_measures.py").write_text(
        "import os\ndef elsewhere(image, references, request):\n"
        "    return {'width': image.width, 'process': os.getpid(), 'reference': references[0].image.width}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import os

    from my_measures import elsewhere

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        found = study.measure(elsewhere, executor=executor)
        assert study.measure(sharpness, "sharp", executor=executor).values == study.measure("sharpness").values
        with pytest.raises(InvalidRequest, match=r"cannot be sent to another process \(.*lambda") as caught:
            study.measure(lambda image, references, request: 1, "one", executor=executor)
        assert "Define it at the top of a module" in caught.value.advice
    assert len(found.values) == 8
    assert {(value["width"], value["reference"]) for value in found.values.values()} == {(512, 320)}
    assert os.getpid() not in {value["process"] for value in found.values.values()}


def test_a_process_that_dies_is_one_clear_line(study, tmp_path, monkeypatch):
    (tmp_path / "deadly_measures.py").write_text("import os\ndef deadly(image, references, request): os._exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    from deadly_measures import deadly

    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
        pytest.raises(InvalidRequest, match=r"could not do its work \(BrokenProcessPool: ") as caught,
    ):
        study.measure(deadly, executor=executor)
    assert "memory enough" in caught.value.advice


@pytest.fixture
def pickles_as_before():
    """Take back what importing Dask does to the pickling of every exception, which other tests look at."""
    before = dict(copyreg.dispatch_table)
    yield
    copyreg.dispatch_table.clear()
    copyreg.dispatch_table.update(before)


@pytest.fixture
def cluster(pickles_as_before):
    """A Dask cluster within this process, on this machine's own address alone."""
    from distributed import Client, LocalCluster

    # Over TCP, so that what is sent is sent, as to another machine.
    where = {"host": "127.0.0.1", "protocol": "tcp", "dashboard_address": None}
    with (
        LocalCluster(processes=False, n_workers=1, threads_per_worker=2, **where) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_dask_cluster_measures_what_this_thread_measures(study, cluster, monkeypatch):
    scattered, real = [], cluster.scatter
    monkeypatch.setattr(cluster, "scatter", lambda job, **given: scattered.append(job) or real(job, **given))

    def local(image, references, request):
        # Defined in a cell, it goes to the workers all the same.
        return image.width * references[0].image.width

    with cluster.get_executor() as executor:
        found = study.measure(local, executor=executor)
        assert set(found.values.values()) == {512 * 320}
        assert len(found.values) == 8
        # Pictures go past the scheduler, which remembers what is sent by way of it.
        assert [len(job.calls) for job in scattered] == [2] * 4
        before = study.measure("sharpness", executor=executor)
        with pytest.raises(InvalidRequest, match=r"x gave no value for any of 8 images\. .*ZeroDivisionError"):
            study.measure(lambda image, references, request: 1 / 0, "x", executor=executor)
    assert study.measure(sharpness, "here").values == before.values
    with pytest.raises(InvalidRequest, match="The executor takes no work"):
        study.measure(wide, executor=executor)
    with pytest.raises(InvalidRequest, match=r"Give executor=client\.get_executor\(\)\."):
        study.measure(wide, executor=cluster)
