"""E-mail messages, by the standard library: what a reader sees of them, with sender, date and the names of what is attached."""

from __future__ import annotations

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


def read_mail(path: Path) -> Extracted:
    """The message. Raises: Unreadable if it is none, or says nothing."""
    try:
        with path.open("rb") as file:
            message = message_from_binary_file(file, policy=default)
        assert isinstance(message, EmailMessage)
        if not message.keys() or not any(name in message for name in ("From", "Subject", "Date", "Received")):
            raise Unreadable("its name says e-mail and it has no headers of one: name it as what it is.")
        body = _body(message)
        attached = [it.get_filename() or it.get_content_type() for it in message.iter_attachments()]
    except (MessageError, LookupError, ValueError, RecursionError) as error:
        raise Unreadable("it is damaged, so that no message can be read: get it anew.") from error
    subject = _header(message, "Subject")
    heads = [f"{name}: {_header(message, name)}" for name in _SHOWN if _header(message, name)]
    heads += [f"Attachments: {', '.join(attached)}"] if attached else []
    if not body.strip() and not subject:
        raise Unreadable("it is a message without subject and text: remove it.")
    title = [f"# {subject}"] if subject else []
    text = "\n\n".join([*title, "\n".join(heads), body.strip()]).strip()
    facts = {"title": subject, "author": _header(message, "From"), "created": _day(message), "attachments": ", ".join(attached)}
    return Extracted(text, facts={name: value for name, value in facts.items() if value}, parser="email")


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    text = _content(part)
    return html_text(text)[1] if part.get_content_subtype() == "html" else text.replace("\r\n", "\n").replace("\0", "")


def _content(part: MIMEPart) -> str:
    """The part's text; bytes of a character set that nobody knows are read as UTF-8, with marks for what is none."""
    try:
        content = part.get_content()
    except LookupError:
        content = part.get_payload(decode=True)
    return content if isinstance(content, str) else bytes(content or b"").decode("utf-8", "replace")


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _day(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(str(message["Date"])).date().isoformat()
    except (ValueError, TypeError):
        return ""
