"""Notices: the writes that tell somebody something, once.

A notice's name is made of its recipient, its kind and what it is about, so that telling the same again writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domainmesh.v1 import notice_pb2 as pb
from governance_server.backend import stamp, store
from governance_server.editing.state import State
from governance_server.rules import kinds
from governance_server.rules.apply import ResourceWrite
from governance_server.rules.policy_rows import domain_of

__all__ = ["News", "notices", "prefix_of"]


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told: `stage` tells apart what may be told again of the same thing."""

    kind: pb.NoticeKind.ValueType
    resource: str
    about: str
    text: str
    stage: str = ""

    def name_for(self, recipient: str) -> str:
        """The notice's id for a recipient."""
        word = pb.NoticeKind.Name(self.kind).removeprefix("NOTICE_KIND_").lower()
        return f"{prefix_of(recipient)}{word}{self.stage} {self.about}"


def prefix_of(recipient: str) -> str:
    """What the ids of all notices to the recipient begin with; no name has a space."""
    return f"{recipient} "


def notices(tx: State, news: News, recipients: Iterable[str]) -> Iterator[ResourceWrite]:
    """The writes that tell the recipients what they have not been told."""
    for recipient in dict.fromkeys(recipients):
        name = news.name_for(recipient)
        if tx.get(kinds.NOTICE, name) is None:
            notice = pb.Notice(
                id=name, recipient=recipient, domain=domain_of(news.resource), kind=news.kind, resource=news.resource,
                about=news.about, text=news.text, create_time=stamp(tx.time),
            )  # fmt: skip
            yield store(kinds.NOTICE, name, notice)
