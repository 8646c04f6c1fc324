import asyncio
import signal
import threading

import pytest
from divergen_records.endpoint.loops import run_to_end


async def answer():
    await asyncio.sleep(0)
    return 7


async def cell(work):
    return run_to_end(work)


def test_run_to_end__with_and_within_a_loop():
    assert run_to_end(answer()) == asyncio.run(cell(answer())) == 7


def test_run_to_end__an_error_comes_through():
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(cell(fail()))
    with pytest.raises(KeyError) as raised:
        run_to_end(fail())
    assert raised.value.__context__ is None  # a trace would begin with "no running event loop"


def test_run_to_end__an_interruption_stops_what_was_asked():
    ended = []
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it

    async def wait():
        threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    loop = asyncio.new_event_loop()  # as a kernel has it: an interruption is raised where the cell is
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell(wait()))
    loop.close()
    assert ended == ["cancelled"]
