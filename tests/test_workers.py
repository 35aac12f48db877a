"""One process per job: outcomes, deaths, time limits, and nobody left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jobs
import pytest

from pmo_lib.errors import ReportError
from pmo_lib.workers import BACK_OFF_SECONDS, ENVIRONMENT, Outcome, Workers

TESTS = Path(__file__).parent


def alone(how: str, *, seconds: float = 30.0) -> Outcome:
    """Run one job and return its outcome."""
    (outcome,) = Workers(count=1, seconds=seconds, warm=jobs.WARM).run(jobs.end, jobs=[how])
    return outcome


def test_every_job_has_one_outcome_with_its_value() -> None:
    """Every job yields exactly one outcome, and it carries that job's value and position."""
    outcomes = list(Workers(count=2, warm=jobs.WARM).run(jobs.end, jobs=["a", "b", "c", "d", "e"]))
    assert sorted((one.index, one.job, one.value, one.ok) for one in outcomes) == [
        (0, "a", "a", True), (1, "b", "b", True), (2, "c", "c", True), (3, "d", "d", True), (4, "e", "e", True),
    ]  # fmt: skip
    assert all(one.seconds > 0 and one.peak_mib > 1 for one in outcomes)


def test_no_jobs_have_no_outcomes() -> None:
    """Nothing to do is no error."""
    assert list(Workers(warm=jobs.WARM).run(jobs.end, jobs=[])) == []


@pytest.mark.parametrize(
    ("how", "stage", "words"),
    [
        ("error", "process", "ValueError: no such figure"),
        ("exit", "process", "SystemExit: 0"),
        ("os._exit", "process", "ended with exit code 0 before it had a result"),
        ("killed", "process", "killed by signal 9 (SIGKILL)"),
        ("unpicklable", "process", "cannot be sent back"),
        ("leaves a child", "process", "ended with exit code 3"),
    ],
)
def test_a_job_without_a_result_is_a_failure(how: str, stage: str, words: str) -> None:
    """However a job ends without a result, its outcome is an error that says how, and never a success."""
    outcome = alone(how)
    assert isinstance(outcome.error, ReportError)
    assert not outcome.ok
    assert outcome.value is None
    assert outcome.error.data["stage"] == stage
    assert words in str(outcome.error)
    assert outcome.seconds < 20


def test_a_failure_disturbs_no_other_job() -> None:
    """Jobs beside and after one that dies have their results."""
    outcomes = list(Workers(count=2, warm=jobs.WARM).run(jobs.end, jobs=["killed", "a", "os._exit", "b"]))
    assert {one.job for one in outcomes if one.ok} == {"a", "b"}


def test_a_large_result_arrives_whole() -> None:
    """A result larger than a pipe's buffer does not block the child that sends it."""
    assert len(str(alone("large").value)) == 5_000_000


def test_a_job_past_its_limit_is_stopped() -> None:
    """A job that passes its time limit is killed and says so, while quicker ones finish."""
    started = time.monotonic()
    outcomes = {one.job: one for one in Workers(count=2, seconds=2, warm=jobs.WARM).run(jobs.end, jobs=["slow", "a"])}
    assert outcomes["a"].ok
    assert outcomes["slow"].error is not None
    assert outcomes["slow"].error.data["stage"] == "time limit"
    assert "after 2 seconds" in str(outcomes["slow"].error)
    assert time.monotonic() - started < 20


def running(pid: int) -> bool:
    """Say whether a process runs; one that is dead but not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: list[int], *, within_seconds: float) -> bool:
    """Wait until none of some processes runs."""
    until = time.monotonic() + within_seconds
    while any(map(running, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(running, pids))


def pids_in(folder: Path, *, jobs_started: int) -> list[list[int]]:
    """Wait for the process ids that jobs report: of each job itself, its fork server and its subprocess."""
    until = time.monotonic() + 60
    while len(found := sorted(folder.glob("*.pids"))) < jobs_started and time.monotonic() < until:
        time.sleep(0.05)
    assert len(found) == jobs_started
    return [[int(pid) for pid in path.read_text(encoding="utf-8").split()] for path in found]


def test_leaving_the_loop_kills_what_runs(tmp_path: Path) -> None:
    """A driver that stops listening leaves neither a job nor a process that a job started."""
    outcomes = Workers(count=2, seconds=1, warm=jobs.WARM).run(jobs.report_pids, jobs=[tmp_path])
    next(outcomes)
    outcomes.close()
    ((job, _, child),) = pids_in(tmp_path, jobs_started=1)
    assert gone([job, child], within_seconds=5)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_die_with_their_driver(tmp_path: Path) -> None:
    """After SIGKILL of the driver neither the fork server nor a job runs on."""
    script = (
        f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]\n"
        "import jobs, pathlib\nfrom pmo_lib.workers import Workers\n"
        "list(Workers(count=2).run(jobs.report_pids, jobs=[pathlib.Path(sys.argv[1])] * 2))\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    started = 2 if len(os.sched_getaffinity(0)) > 1 else 1
    pids = pids_in(tmp_path, jobs_started=started)
    driver.kill()
    driver.wait()
    assert gone([pid for job, server, _ in pids for pid in (job, server)], within_seconds=5)
    for _, _, child in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # a subprocess of a job is nobody's child any more


def test_every_job_sees_the_same_surroundings() -> None:
    """Hash order, time zone, locale and thread numbers in a job do not depend on the driver's environment."""
    seen = [one.value for one in Workers(warm=jobs.WARM).run(jobs.tell_surroundings, jobs=[1, 2])]
    assert [{name: one["environment"][name] for name in ENVIRONMENT} for one in seen] == [dict(ENVIRONMENT)] * 2
    assert seen[0]["hash"] == seen[1]["hash"]
    assert seen[0]["pid"] != seen[1]["pid"]


def test_no_child_shares_a_socket_or_a_thread() -> None:
    """A job that has run a notebook has one thread and no ZeroMQ context: nothing of the server's could be shared."""
    (outcome,) = Workers(warm=jobs.WARM).run(jobs.tell_surroundings, jobs=[1])
    assert outcome.error is None
    assert outcome.value["threads"] == ["MainThread"]
    assert outcome.value["zmq"] is False


def test_the_server_is_warm() -> None:
    """A child has what the server loaded before it forked, without importing anything itself."""
    wanted = ("pandas", "papermill", "nbconvert", "plotly", "pmo_lib.render.gate")
    (outcome,) = Workers(warm=jobs.WARM).run(jobs.loaded, jobs=[wanted])
    assert outcome.value == list(wanted)


def test_workers_do_not_outnumber_processors() -> None:
    """More workers than processors are slower: the number is capped, and at least one."""
    usable = len(os.sched_getaffinity(0))
    assert Workers().size == usable
    assert Workers(count=1).size == 1
    assert Workers(count=10_000).size == usable


def test_a_foreign_fork_server_is_found_out() -> None:
    """If other code of the driver started the fork server, in other surroundings, jobs refuse to run."""
    script = (
        f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]\n"
        "import jobs, multiprocessing.forkserver\n"
        "multiprocessing.forkserver.ensure_running()\n"
        "from pmo_lib.workers import Workers\n"
        "print(*[one.error for one in Workers().run(jobs.end, jobs=['a'])])\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "started by other code" in done.stdout
    assert "PYTHONHASHSEED" in done.stdout


def attempts(how: str, *, folder: Path, times: int = 1, retries: int = 2) -> tuple[Outcome, list[float]]:
    """Run a job that fails so many times; return its outcome and the pauses between its attempts."""
    workers = Workers(count=1, seconds=30, retries=retries, warm=jobs.WARM)
    (outcome,) = workers.run(jobs.attempt, jobs=[jobs.Attempted(how, folder / "attempts", times)])
    starts = sorted(float(path.name.split()[1]) for path in (folder / "attempts").iterdir())
    return outcome, [later - earlier for earlier, later in itertools.pairwise(starts)]


@pytest.mark.parametrize("how", ["killed", "disk full", "I/O error"])
def test_what_the_machine_brought_about_is_tried_again(how: str, tmp_path: Path) -> None:
    """A job whose process was killed, or that met a full or broken disk, is done again after a while, and succeeds."""
    outcome, pauses = attempts(how, folder=tmp_path)
    assert outcome.error is None
    assert outcome.value[0] == outcome.attempts == 2
    assert pauses[0] >= BACK_OFF_SECONDS


def test_each_attempt_waits_twice_as_long_and_the_last_one_counts(tmp_path: Path) -> None:
    """What goes on failing is given up after its attempts, with the error of the last, and pauses that double."""
    outcome, pauses = attempts("disk full", folder=tmp_path, times=9)
    assert not outcome.ok
    assert "No space left on device" in str(outcome.error)
    assert outcome.attempts == 3
    assert len(pauses) == 2
    assert all(pause >= BACK_OFF_SECONDS * 2**number for number, pause in enumerate(pauses))


@pytest.mark.parametrize("how", ["error", "exit", "os._exit", "not allowed"])
def test_what_a_job_brought_about_itself_is_not_tried_again(how: str, tmp_path: Path) -> None:
    """An error or an exit would come again: there is one attempt."""
    outcome, pauses = attempts(how, folder=tmp_path)
    assert (outcome.ok, outcome.attempts, pauses) == (False, 1, [])


def test_a_job_past_its_limit_is_not_tried_again(tmp_path: Path) -> None:
    """A time limit is the job's own doing: it is not given that time twice."""
    job = jobs.Attempted("slow", tmp_path / "attempts")
    (outcome,) = Workers(count=1, seconds=1, warm=jobs.WARM).run(jobs.attempt, jobs=[job])
    assert outcome.error is not None
    assert (outcome.error.data["stage"], outcome.attempts) == ("time limit", 1)


def test_a_job_that_waits_to_be_tried_again_holds_up_no_other(tmp_path: Path) -> None:
    """While a job waits for its next attempt, the others are done."""
    given = [jobs.Attempted("disk full", tmp_path / "a", times=2), *(jobs.Attempted("", tmp_path / n) for n in "bcd")]
    outcomes = list(Workers(count=1, warm=jobs.WARM).run(jobs.attempt, jobs=given))
    assert [one.index for one in outcomes] == [1, 2, 3, 0]
    assert [one.attempts for one in outcomes] == [1, 1, 1, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what is mapped on Linux alone")
def test_too_much_memory_is_a_clean_error() -> None:
    """A job that asks for more than its limit has a MemoryError that it can handle, and threads start all the same."""
    (outcome,) = Workers(count=1, memory_mib=2_048, warm=jobs.WARM).run(jobs.fill_memory, jobs=[1])
    assert outcome.value == ("MemoryError", 8)
    assert outcome.peak_mib < 2_048


def test_when_the_time_of_all_is_over_the_rest_is_told_as_not_done(tmp_path: Path) -> None:
    """At the limit of all jobs what runs is killed, what waits is not begun, and both have an outcome that says so."""
    workers = Workers(count=1, seconds=30, total_seconds=3, warm=jobs.WARM)
    list(Workers(count=1, warm=jobs.WARM).run(jobs.end, jobs=["a"]))  # the server is warm: its start takes no time
    started = time.monotonic()
    given = [
        jobs.Attempted("", tmp_path / "a", 0),
        jobs.Attempted("slow", tmp_path / "b"),
        jobs.Attempted("", tmp_path),
    ]
    outcomes = list(workers.run(jobs.attempt, jobs=given))
    assert time.monotonic() - started < 20
    assert [(one.index, one.ok, one.attempts) for one in outcomes] == [(0, True, 1), (1, False, 0), (2, False, 0)]
    for one in outcomes[1:]:
        assert one.error is not None
        assert one.error.data["stage"] == "time limit"
        assert "The time of the batch, 3 seconds, was over" in str(one.error)
    assert len(list((tmp_path / "b").iterdir())) == 1


def test_a_fork_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    """When somebody kills the fork server its job is done again, under a new one with the same surroundings."""
    outcome, _ = attempts("server killed", folder=tmp_path)
    assert outcome.error is None
    number, environment = outcome.value
    assert number == outcome.attempts == 2
    assert {name: environment[name] for name in ENVIRONMENT} == dict(ENVIRONMENT)
