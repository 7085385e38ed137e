"""All pages of a list call as one list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from domain_sdk._arguments import checked_number

if TYPE_CHECKING:
    import grpc
    from google.protobuf.message import Message

    from domain_sdk._transport import Transport

__all__ = ["all_items"]

_PAGE_SIZE = 500

Request = TypeVar("Request", bound="Message")
Response = TypeVar("Response", bound="Message")


def all_items(
    transport: Transport,
    method: grpc.UnaryUnaryMultiCallable[Request, Response],
    request: Any,  # noqa: ANN401 # has page_size and page_token, which no proto type expresses
    *,
    field: str,
    limit: int | None = None,
) -> list[Any]:
    """The items of the field on every page, in order; at most `limit`, all when it is None. The request is used up.

    Raises:
        InvalidRequest: the limit is negative or no whole number.
    """
    checked_number(limit, "limit")
    items: list[Any] = []
    while limit is None or len(items) < limit:
        request.page_size = _PAGE_SIZE if limit is None else min(limit - len(items), _PAGE_SIZE)
        response: Any = transport.call(method, request)
        items.extend(getattr(response, field))
        request.page_token = response.next_page_token
        if not request.page_token:
            break
    return items if limit is None else items[:limit]
