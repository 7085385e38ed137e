"""E-mail messages, by the standard library: what a reader sees of them, with sender, date and what is attached.

A message within the message (forwarded, or attached as one) is read like it, under its subject; other attachments are named,
and read as what they are, behind the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_binary_file, message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage, MIMEPart
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from domain_sdk._document_html import html_text
from domain_sdk._document_sections import count_words
from domain_sdk.extraction.attachments import Attachments, is_prose, without_fences
from domain_sdk.extraction.encodings import decoded_leniently
from domain_sdk.extraction.extracted import Extracted, Unreadable
from domain_sdk.extraction.plain import TABLE_RULE

__all__ = ["read_mail"]

_SHOWN = ("From", "To", "Cc", "Date")
_PEOPLE = ("From", "Sender", "Reply-To", "To", "Cc")
_DEEPEST = 5
"""How many messages within each other are read; deeper ones are named."""


_ENCRYPTED = frozenset({"application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_ARMOURED = re.compile(r"-----BEGIN PGP MESSAGE-----.*?(?:-----END PGP MESSAGE-----|(?=\n {0,3}```)|\Z)", re.DOTALL)
"""Up to its end, or that of the code which shows it in a page."""
_ENCRYPTED_TEXTS = "encrypted texts of e-mails"
_STUB = 0.5
"""A plain text of fewer words than this share of its page's says that one should look at the page."""


@dataclass(slots=True)
class _Seen:
    """What was met on the way through the parts."""

    attachments: Attachments
    attached: list[str] = field(default_factory=list)
    people: dict[str, None] = field(default_factory=dict)
    behind: list[str] = field(default_factory=list)
    """What attachments say."""


def read_mail(path: Path, read_file: Callable[[Path], Extracted], on_picture: Callable[[], None] = lambda: None) -> Extracted:
    """The message. `read_file` reads a file that is attached. Raises: Unreadable if it is none, says nothing or is encrypted."""
    seen = _Seen(Attachments(read_file, on_picture))
    try:
        with path.open("rb") as file:
            message = message_from_binary_file(file, policy=default)
        assert isinstance(message, EmailMessage)
        if not message.keys() or not any(name in message for name in ("From", "Subject", "Date", "Received")):
            raise Unreadable("its name says e-mail and it has no headers of one: name it as what it is.")
        subject, heads = _heads(message, seen)
        body = "\n\n".join((*_texts(message, seen, depth=1), *seen.behind))
    except (MessageError, LookupError, ValueError, RecursionError) as error:
        raise Unreadable("it is damaged, so that no message can be read: get it anew.") from error
    attached = ", ".join(seen.attached)
    heads += [f"Attachments: {attached}"] if attached else []
    unread = seen.attachments.unread
    if not body and unread.get(_ENCRYPTED_TEXTS):
        raise Unreadable("its text is encrypted: save it anew without encryption.")
    if not body and not subject:
        raise Unreadable("it is a message without subject and text: remove it.")
    text = "\n\n".join(filter(None, (f"# {subject}" if subject else "", "\n".join(heads), body)))
    facts = {"title": subject, "author": _header(message, "From"), "created": _day(message), "attachments": attached}
    facts["people"] = "\n".join(seen.people | seen.attachments.people)
    return Extracted(
        text, facts={name: value for name, value in facts.items() if value}, parser="email", unread=unread,
        tables=len(TABLE_RULE.findall(text)), hidden=dict(seen.attachments.hidden), recognition=seen.attachments.recognition,
    )  # fmt: skip


def _heads(message: MIMEPart, seen: _Seen) -> tuple[str, list[str]]:
    """The subject, and lines of who wrote it to whom and when."""
    fields = [it for name in _PEOPLE for it in message.get_all(name, [])]
    told = (address.display_name for it in fields for address in getattr(it, "addresses", ()))
    seen.people.update(dict.fromkeys(" ".join(name.split()) for name in told if name.strip()))
    return _header(message, "Subject"), [f"{name}: {_header(message, name)}" for name in _SHOWN if _header(message, name)]


def _texts(part: MIMEPart, seen: _Seen, *, depth: int) -> Iterator[str]:
    """The texts that are shown one after the other; what else there is goes to `seen`."""
    kind = part.get_content_type()
    if kind in _ENCRYPTED and part.get_param("smime-type") != "signed-data":
        seen.attachments.leave(_ENCRYPTED_TEXTS)
    elif kind == "message/rfc822" and depth <= _DEEPEST:
        (inner,) = part.iter_parts()
        assert isinstance(inner, MIMEPart)
        yield from _message(_unpacked(inner, str(part.get("Content-Transfer-Encoding", ""))), seen, depth=depth)
    elif part.is_multipart() and part.get_content_maintype() == "multipart":
        shown = _shown_parts(part)
        for it in part.iter_parts():
            if it in shown:
                yield from _texts(it, seen, depth=depth)
            elif it.get_filename() or part.get_content_subtype() in ("mixed", "related"):
                _attach(it, seen, depth=depth)
            else:
                for inner in _beside(it):
                    _attach(inner, seen, depth=depth)
    elif part.is_attachment() or not _is_text(part):
        _attach(part, seen, depth=depth)
    else:
        text, locked = _ARMOURED.subn("", _text(part))
        for _ in range(locked):
            seen.attachments.leave(_ENCRYPTED_TEXTS)
        if shown_text := (text if part.get_content_subtype() == "html" else without_fences(text)).strip():
            yield shown_text


def _beside(part: MIMEPart) -> Iterator[MIMEPart]:
    """What stands beside a page that is not shown: pictures, and files of whatever kind."""
    if part.get_content_maintype() == "multipart":
        for it in part.iter_parts():
            yield from _beside(it)
    elif part.is_attachment() or _name(part) or not _is_text(part):
        yield part


def _name(part: MIMEPart) -> str:
    return part.get_filename() or ""


def _is_text(part: MIMEPart) -> bool:
    return part.get_content_maintype() in ("text", "multipart") and is_prose(_name(part), part.get_content_type())


def _message(message: MIMEPart, seen: _Seen, *, depth: int) -> Iterator[str]:
    subject, heads = _heads(message, seen)
    yield "\n\n".join(filter(None, (f"## {subject or 'Message'}", "\n".join(heads))))
    yield from _texts(message, seen, depth=depth + 1)


def _unpacked(message: MIMEPart, encoding: str) -> MIMEPart:
    """The message, out of the base64 that some programs write it in though none may (RFC 2046 §5.2.1)."""
    if message.keys() or encoding.strip().lower() != "base64":
        return message
    message["Content-Transfer-Encoding"] = encoding
    data = message.get_payload(decode=True)
    return message_from_bytes(data if isinstance(data, bytes) else b"", policy=default)


def _attach(part: MIMEPart, seen: _Seen, *, depth: int) -> None:
    """The part is named, and what it says stands behind the text."""
    name = " ".join((part.get_filename() or part.get_content_type()).split())
    kind = part.get_content_type()
    is_packed = kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat"
    if kind == "message/rfc822" and depth <= _DEEPEST:
        seen.behind.extend(_texts(part, seen, depth=depth))
        return
    data = b"" if part.is_multipart() or is_packed else part.get_payload(decode=True)
    if name.lower().endswith(".eml") and data and depth <= _DEEPEST:
        inner = message_from_bytes(bytes(data), policy=default)
        seen.behind.extend(_message(inner, seen, depth=depth))
        seen.attached.append(name)
        return
    said: list[str] | None = None
    charset = _charset(part)
    if is_packed or not data:
        seen.attachments.leave()
    else:
        said = seen.attachments.sections(name, kind, bytes(data), charset)
    seen.behind.extend(said or ())
    seen.attached.append(
        f"{name} (packed by Outlook, not opened)" if is_packed else name if said is not None else f"{name} (not read)"
    )


def _shown_parts(part: MIMEPart) -> list[MIMEPart]:
    """Of alternatives the plain one, unless it says little of the last; of what belongs together the root; else all."""
    parts = list(part.iter_parts())
    kind = part.get_content_subtype()
    if kind == "alternative":
        plain = next((it for it in parts if it.get_content_type() == "text/plain" and _text(it).strip()), None)
        readable = [it for it in parts if it.is_multipart() or it.get_content_type() == "text/html"][-1:]
        pages = (inner for it in readable for inner in it.walk() if _is_page(inner))
        is_stub = plain is not None and count_words(_text(plain)) < _STUB * sum(count_words(_text(it)) for it in pages)
        return readable if plain is None or is_stub else [plain]
    if kind == "related":
        root = part.get_param("start")
        named = [it for it in parts if root and it.get("Content-ID", "").strip() == root]
        texts = [it for it in parts if it.is_multipart() or it.get_content_maintype() == "text"]
        return (named or texts or parts)[:1]
    return parts[:1] if kind == "signed" else parts


def _is_page(part: MIMEPart) -> bool:
    return part.get_content_type() == "text/html" and not part.is_attachment()


def _text(part: MIMEPart) -> str:
    text = _content(part)
    return html_text(text)[1] if part.get_content_subtype() == "html" else text.replace("\r\n", "\n").replace("\0", "")


def _content(part: MIMEPart) -> str:
    data = part.get_payload(decode=True)
    return decoded_leniently(data if isinstance(data, bytes) else b"", _charset(part))


def _charset(part: MIMEPart) -> str:
    try:
        return part.get_content_charset("")
    except (LookupError, ValueError):
        return ""


def _header(message: MIMEPart, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _day(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(str(message["Date"])).date().isoformat()
    except (ValueError, TypeError):
        return ""
