"""A customer's request: what the service desk is told to do, by which clause and which figures, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain_sdk.cli.asking import answer_view
from domain_sdk.demo import samples

if TYPE_CHECKING:
    from domain_sdk.demo.narrator import Narrator
    from domain_sdk.mesh import Mesh
    from mesh_core.answers.answer import Answer

__all__ = ["CASE", "resolve"]

CASE = "May we refund order O-000711 after 40 days?"
_ORDER = "O-000711"
_PURPOSE = "customer-service"


def resolve(narrator: Narrator, carl: Mesh, dana: Mesh) -> None:
    """Two people of the service desk asked about the same case; each saw what they may. Raises: StoryBroken."""
    narrator.step(
        "A customer wants money back",
        "Carl, of the service desk, asks what to do. The rules are in the handbook, the figures in tables of three domains. "
        "Nothing but the clause and the contracts tells how they belong together.",
    )
    narrator.types("carl, service desk", f'mesh.ask("{CASE}", purpose="{_PURPOSE}")')
    answer = carl.ask(CASE, purpose=_PURPOSE)
    narrator.shows(answer_view(answer))
    recommendation = answer.recommendation
    order = next(it for it in samples.pipeline("sales.orders").orders().to_dicts() if it["order_id"] == _ORDER)
    narrator.claim("the clause for day 31 to day 60 applies: a voucher, but no money", "voucher" in _applying(answer))
    narrator.claim("the clause of 30 days does not, and says why", "within 30 days" in _rules(answer, "does not apply"))
    narrator.claim(
        f"the order's {order['amount']} euro are cited from the table",
        any(str(order["amount"]) in row for figure in answer.figures for row in figure.rows),
    )
    narrator.claim("what nobody has recorded is named", recommendation and any("unused" in it for it in recommendation.missing))
    narrator.types("dana, service desk, may not see the ledger", f'mesh.ask("{CASE}", purpose="{_PURPOSE}")')
    less = dana.ask(CASE, purpose=_PURPOSE)
    narrator.claim("she gets the same recommendation", _applying(less) == _applying(answer))
    narrator.claim(
        "and is told that the ledger is missing, and how to ask for it",
        less.recommendation and any("mesh request finance.ledger" in it for it in less.recommendation.missing),
    )


def _applying(answer: Answer) -> str:
    return _rules(answer, "applies")


def _rules(answer: Answer, verdict: str) -> str:
    found = answer.recommendation.findings if answer.recommendation else ()
    return " ".join(it.rule for it in found if str(it.verdict) == verdict)
