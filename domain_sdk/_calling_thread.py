"""Calls that are driven by the thread that makes them.

Of a call that can be cancelled gRPC hands every event to a thread of its own first, which it starts anew for each call that is
alone; that takes longer than the rest of the client's work. Only what answers with a stream can do without that thread and still
be cancelled, so calls that have one response are made as streams of one: on the wire the two are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from grpc.experimental import ChannelOptions

__all__ = ["IN_CALLING_THREAD", "CallingThread", "streaming"]

IN_CALLING_THREAD = (ChannelOptions.SingleThreadedUnaryStream, 1)
"""The option of a channel whose streams are read without a thread of its own."""

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class CallingThread:
    """A channel for stubs, whose methods with one response are to be called as what `streaming` says they are."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def unary_stream(self, *description: Any, **options: Any) -> _Method:  # noqa: ANN401  # as the channel's
        """The method, for calls that are driven by the thread that makes them."""
        return _Method(self._channel, self._channel.unary_stream(*description, **options))

    unary_unary = unary_stream


class _Method:
    """A method that keeps its channel open while it is called: gRPC's own does not, without that thread."""

    __slots__ = ("_begin", "_channel")

    def __init__(self, channel: grpc.Channel, begin: Callable[..., Any]) -> None:
        self._channel, self._begin = channel, begin

    def __call__(self, request: Message, **options: Any) -> Any:  # noqa: ANN401  # as the channel's method
        return self._begin(request, **options)


def streaming(method: grpc.UnaryUnaryMultiCallable[Request, Response]) -> grpc.UnaryStreamMultiCallable[Request, Response]:
    """The method of a stub on a `CallingThread` as what it is: its call iterates over one response and can be cancelled."""
    return cast("grpc.UnaryStreamMultiCallable[Request, Response]", method)
