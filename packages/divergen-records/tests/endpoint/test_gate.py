"""How long a request is waited for, beside others and after this process stood still."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from divergen_records.endpoint.gate import Gate

T = TypeVar("T")


def _gate(timeout: float, most: int = 4) -> tuple[Gate, list[str]]:
    said: list[str] = []
    return Gate(most, timeout, said.append), said


async def _held(gate: Gate, answer: Awaitable[T]) -> T:
    async def sending() -> T:
        return await answer

    async with gate.slot():
        return await gate.wait(sending())


def test_gate__a_queue_that_answers_the_first_request_last() -> None:
    async def run() -> tuple[list[int], list[str]]:
        gate, said = _gate(timeout=0.5)
        delays = (1.0, 0.25, 0.5, 0.75)
        asked = [_held(gate, asyncio.sleep(delay, number)) for number, delay in enumerate(delays)]
        return list(await asyncio.gather(*asked)), said

    answers, said = asyncio.run(run())
    assert answers == [0, 1, 2, 3]
    assert len(said) == 1
    assert "answers one after the other" in said[0]


def test_gate__one_alone_is_given_up_in_time() -> None:
    async def run() -> None:
        await _held(_gate(timeout=0.1)[0], asyncio.sleep(30))

    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert time.monotonic() - begun < 10


def test_gate__one_beside_others_that_are_answered_for_ever_is_given_up() -> None:
    async def run() -> None:
        gate, _ = _gate(timeout=0.1, most=2)
        first = asyncio.create_task(_held(gate, asyncio.sleep(30)))
        while not first.done():
            await _held(gate, asyncio.sleep(0.02))
        await first

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(run(), 10))


def test_gate__an_answer_that_came_while_this_process_stood_still_is_read() -> None:
    async def run() -> bytes:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"half ")
            await writer.drain()
            writer.write(b"whole")
            writer.close()

        async def ask(port: int) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stopped = asyncio.get_running_loop().call_later(0.05, time.sleep, 1.0)
            try:
                return b"".join([await reader.readexactly(5), await reader.read()])
            finally:
                stopped.cancel()
                writer.close()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.2)  # due while the loop stands still
            await answer(reader, writer)

        async with await asyncio.start_server(slow, "127.0.0.1", 0) as server:
            return await _held(_gate(timeout=0.5)[0], ask(server.sockets[0].getsockname()[1]))

    assert asyncio.run(run()) == b"half whole"
