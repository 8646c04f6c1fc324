import os
import signal
import subprocess
import sys
import time

import pytest
from divergen_records.hosts import runs

SCRIPT = r"""
import os, signal, sys, time
from divergen_records.worker_processes import Processes
def work(end):
    os.write(1, f"{os.getpid()}\n".encode())
    while not os.path.exists(end):
        time.sleep(0.01)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
    end = sys.argv[1]
    with Processes(2) as executor:
        waiting = [executor.submit(work, end) for _ in range(2)]
        try:
            os.write(1, b"started\n")
            [one.result() for one in waiting]
        except KeyboardInterrupt:
            open(end, "w").close()
            sys.exit("stopped")
"""


def begin(tmp_path, words):
    """The script in a group of its own, whose workers work until it is stopped, with its first words."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, tmp_path / "end"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return process, [process.stdout.readline().strip() for _ in range(words)]


def ended(workers):
    """Whether they are gone, or go."""
    for _ in range(600):
        if not any(map(runs, workers)):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="there a worker may start with an interrupt")
def test_processes__ctrl_c_as_they_start_is_the_parents_alone(tmp_path):
    process, _ = begin(tmp_path, 1)  # they have been spawned, and run no line of ours yet
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert err == "stopped\n"


def test_processes__end_with_a_parent_that_is_killed(tmp_path):
    process, (_, *workers) = begin(tmp_path, 3)
    process.kill()
    process.wait()
    assert ended([int(pid) for pid in workers])
    process.stdout.close()
    process.stderr.close()
