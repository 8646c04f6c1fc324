"""Does LLM mode keep the wanted number of requests in flight? A local server with 200 ms latency.

python packages/divergen-prompts/benchmarks/bench_llm.py
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from divergen_prompts.llm.run import LlmSettings, llm_prompts
from divergen_prompts.testing import FakeEndpoint
from divergen_prompts.tokens import EstimatedTokens
from divergen_records import Category

LATENCY, ROUNDS, PER_REQUEST = 0.2, 40, 16


def answer(name: str, count: int, random: Random) -> str:
    """Prompts of a usual length that never repeat, made in no time: the latency is to be the 200 ms alone."""
    texts = [
        f'{{"text": "a photo of a single shiny old red {name}, model {random.getrandbits(32)}, in a white background"}}'
        for _ in range(count)
    ]
    return f'{{"prompts": [{", ".join(texts)}]}}'


def serve(connection: Connection) -> None:
    """The endpoint, in a process of its own as a real one is."""
    with FakeEndpoint(latency=LATENCY, answer=answer) as endpoint:
        connection.send(endpoint.url)
        connection.recv()
        connection.send((len(endpoint.bodies), endpoint.most_in_flight))


def measure(concurrency: int, rounds: int) -> tuple[int, float, int]:
    """Requests, seconds, and most requests in flight for ``rounds`` requests one after the other in each slot."""
    categories = [Category(id=n, name=f"object {n}") for n in range(2 * concurrency)]
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,))
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        settings = LlmSettings(
            model="bench",
            base_url=here.recv(),
            per_category=rounds * PER_REQUEST // 2,
            per_request=PER_REQUEST,
            concurrency=concurrency,
        )
        begun = time.perf_counter()
        llm_prompts(categories, settings, Path(folder) / "prompts.jsonl", counter=EstimatedTokens())
        seconds = time.perf_counter() - begun
    here.send("stop")
    requests, most = here.recv()
    server.join()
    return requests, seconds, most


def main() -> None:
    measure(2, 2)  # imports
    print("wanted  most in flight  requests  seconds  ideal  share of the ideal throughput")
    for concurrency in (4, 8, 16):
        requests, seconds, most = measure(concurrency, ROUNDS)
        ideal = requests * LATENCY / concurrency
        print(f"{concurrency:6d}  {most:14d}  {requests:8d}  {seconds:7.2f}  {ideal:5.2f}  {ideal / seconds:29.1%}")


if __name__ == "__main__":
    main()
