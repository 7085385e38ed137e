"""Questions in words, answered without a model: end to end, and by stage, over the sample handbook and a table of orders."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.mesh_process import MeshProcess
from benchmarks.timing import percentile
from domain_sdk import Answer, Mesh

__all__ = ["ask"]

_SAMPLES = Path(__file__).resolve().parent.parent / "sample_domains"
_HANDBOOK = _SAMPLES / "policy" / "handbook"
_PORT = "policy.handbook.pages"
_ROUNDS = 10
_QUESTIONS = (
    "How long may a customer return an order?",
    "Who must sign refunds above 1,000 euro?",
    "When are invoices due?",
    "Within how many days are expenses handed in?",
    "How large an advance is paid for a trip?",
    "What is the amount and the status of order O-000711?",
    "May order O-002042 be refunded after 40 days?",
    "Can I bring my dog to the office?",
)
_STAGES = ("planning", "retrieving", "computing", "writing", "verifying")


def ask(bench: Bench) -> Iterator[Figure]:
    """The questions in turns, after a first round that loads model and engines."""
    server = bench.server()
    _publish(server)
    answers: list[Answer] = []
    whole: list[float] = []
    bare: list[float] = []
    with server.user("user:ana") as mesh:
        for number in range(bench.scaled(_ROUNDS, least=1) + 1):
            for question in _QUESTIONS:
                answer, seconds, retrieved = _asked(mesh, question)
                if number:
                    answers.append(answer)
                    whole.append(seconds * 1e3)
                    bare.append(retrieved * 1e3)
    peer = "`mesh.retrieve` of the same question"
    yield Figure("ask.p50", percentile(whole, 0.5), "ms", peer, percentile(bare, 0.5))
    yield Figure("ask.p95", percentile(whole, 0.95), "ms", peer, percentile(bare, 0.95))
    for stage in _STAGES:
        spent = [it.seconds * 1e3 for answer in answers for it in answer.stages if it.name == stage]
        yield Figure(f"ask.{stage}_p50", percentile(spent, 0.5), "ms")
    answered = [answer.is_found for answer in answers[: len(_QUESTIONS)]]
    yield Figure("ask.answered", statistics.mean(answered[:-1]), "of 1")


def _asked(mesh: Mesh, question: str) -> tuple[Answer, float, float]:
    """The answer, how long it took, and how long a retrieval for the same question takes."""
    begin = time.perf_counter()
    answer = mesh.ask(question)
    middle = time.perf_counter()
    mesh.retrieve(_PORT, question, limit=5)
    return answer, middle - begin, time.perf_counter() - middle


def _publish(server: MeshProcess) -> None:
    """Handbook and orders, which user:ana may read."""
    from sample_domains.sales.orders.pipeline import publish

    with server.administrator() as mesh:
        for domain, owner in (("policy", "user:paul"), ("sales", "user:sam")):
            mesh.admin.create_domain(domain, owners=[owner])
    with server.user("user:paul") as paul:
        product = paul.domain("policy").product("handbook", contract=_HANDBOOK / "contract.odcs.yaml")
        product.publish(pages=_HANDBOOK / "documents", progress=False)
        paul.grant("user:ana", "policy.handbook", actions=["read"])
    with server.user("user:sam") as sam:
        publish(sam)
        sam.grant("user:ana", "sales.orders", actions=["read"])
