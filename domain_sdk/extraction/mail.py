"""E-mail messages, by the standard library: what a reader sees of them, with sender, date and the names of what is attached.

A message within the message (forwarded, or attached as one) is read like it, under its subject; other attachments are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_binary_file
from email.errors import MessageError
from email.message import EmailMessage, MIMEPart
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from domain_sdk._document_html import html_text
from domain_sdk.extraction.extracted import Extracted, Unreadable

__all__ = ["read_mail"]

_SHOWN = ("From", "To", "Cc", "Date")
_PEOPLE = ("From", "Sender", "Reply-To", "To", "Cc")
_DEEPEST = 5
"""How many messages within each other are read; deeper ones are named."""


@dataclass(slots=True)
class _Seen:
    """What was met on the way through the parts."""

    attached: list[str] = field(default_factory=list)
    people: dict[str, None] = field(default_factory=dict)


def read_mail(path: Path) -> Extracted:
    """The message. Raises: Unreadable if it is none, or says nothing."""
    seen = _Seen()
    try:
        with path.open("rb") as file:
            message = message_from_binary_file(file, policy=default)
        assert isinstance(message, EmailMessage)
        if not message.keys() or not any(name in message for name in ("From", "Subject", "Date", "Received")):
            raise Unreadable("its name says e-mail and it has no headers of one: name it as what it is.")
        subject, heads = _heads(message, seen)
        body = "\n\n".join(_texts(message, seen, depth=1))
    except (MessageError, LookupError, ValueError, RecursionError) as error:
        raise Unreadable("it is damaged, so that no message can be read: get it anew.") from error
    attached = ", ".join(seen.attached)
    heads += [f"Attachments: {attached}"] if attached else []
    if not body and not subject:
        raise Unreadable("it is a message without subject and text: remove it.")
    text = "\n\n".join(filter(None, (f"# {subject}" if subject else "", "\n".join(heads), body)))
    facts = {"title": subject, "author": _header(message, "From"), "created": _day(message), "attachments": attached}
    facts["people"] = "\n".join(seen.people)
    unread = {"attachments of e-mails": len(seen.attached)} if seen.attached else {}
    return Extracted(text, facts={name: value for name, value in facts.items() if value}, parser="email", unread=unread)


def _heads(message: MIMEPart, seen: _Seen) -> tuple[str, list[str]]:
    """The subject, and lines of who wrote it to whom and when."""
    fields = [it for name in _PEOPLE for it in message.get_all(name, [])]
    told = (address.display_name for it in fields for address in getattr(it, "addresses", ()))
    seen.people.update(dict.fromkeys(" ".join(name.split()) for name in told if name.strip()))
    return _header(message, "Subject"), [f"{name}: {_header(message, name)}" for name in _SHOWN if _header(message, name)]


def _texts(part: MIMEPart, seen: _Seen, *, depth: int) -> Iterator[str]:
    """The texts that are shown one after the other; what else there is goes to `seen`."""
    if part.get_content_type() == "message/rfc822" and depth <= _DEEPEST:
        (inner,) = part.iter_parts()
        assert isinstance(inner, MIMEPart)
        subject, heads = _heads(inner, seen)
        yield "\n\n".join(filter(None, (f"## {subject or 'Message'}", "\n".join(heads))))
        yield from _texts(inner, seen, depth=depth + 1)
    elif part.is_multipart() and part.get_content_maintype() == "multipart":
        shown = _shown_parts(part)
        for it in part.iter_parts():
            if it in shown:
                yield from _texts(it, seen, depth=depth)
            elif it.get_filename() or part.get_content_subtype() == "mixed":
                seen.attached.append(_name(it))
    elif part.is_attachment() or part.get_content_maintype() != "text":
        seen.attached.append(_name(part))
    elif text := _text(part).strip():
        yield text


def _shown_parts(part: MIMEPart) -> list[MIMEPart]:
    """Of alternatives the plain one, else the last; of what belongs together the first; else all."""
    parts = list(part.iter_parts())
    kind = part.get_content_subtype()
    if kind == "alternative":
        plain = [it for it in parts if it.get_content_type() == "text/plain" and _text(it).strip()]
        readable = [it for it in parts if it.is_multipart() or it.get_content_type() == "text/html"]
        return plain[:1] or readable[-1:]
    return parts[:1] if kind in ("related", "signed") else parts


def _name(part: MIMEPart) -> str:
    name = part.get_filename() or part.get_content_type()
    is_packed = part.get_content_type() in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat"
    return f"{name} (packed by Outlook, not opened)" if is_packed else name


def _text(part: MIMEPart) -> str:
    text = _content(part)
    return html_text(text)[1] if part.get_content_subtype() == "html" else text.replace("\r\n", "\n").replace("\0", "")


def _content(part: MIMEPart) -> str:
    """The part's characters; bytes of no known character set are read as UTF-8, with marks for what is none."""
    try:
        content = part.get_content()
    except LookupError:
        content = part.get_payload(decode=True)
    if part.get_content_charset("us-ascii") == "us-ascii":  # many programs name none and write UTF-8
        content = part.get_payload(decode=True)
    return content if isinstance(content, str) else bytes(content or b"").decode("utf-8", "replace")


def _header(message: MIMEPart, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _day(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(str(message["Date"])).date().isoformat()
    except (ValueError, TypeError):
        return ""
