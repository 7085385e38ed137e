"""Calls about governed tags, from the wire to values."""

from __future__ import annotations

from domain_sdk._paging import all_items
from domain_sdk._times import from_timestamp
from domain_sdk._transport import Transport
from domain_sdk.tags import GovernedTag, TagRelease
from domainmesh.v1 import governed_tag_pb2
from domainmesh.v1.tag_service_pb2 import (
    CreateGovernedTagRequest,
    CreateTagReleaseRequest,
    DeleteGovernedTagRequest,
    DeleteTagReleaseRequest,
    ListGovernedTagsRequest,
    ListTagReleasesRequest,
)
from domainmesh.v1.tag_service_pb2_grpc import TagServiceStub

__all__ = ["govern", "list_governed", "list_releases", "release", "ungovern", "withdraw"]


def govern(transport: Transport, tag: str, description: str) -> GovernedTag:
    """The tag is governed."""
    request = CreateGovernedTagRequest(governed_tag=governed_tag_pb2.GovernedTag(tag=tag, description=description))
    return _governed(transport.call(transport.control(TagServiceStub).CreateGovernedTag, request))


def ungovern(transport: Transport, tag: str) -> GovernedTag:
    """The tag belongs to the domains again."""
    request = DeleteGovernedTagRequest(tag=tag)
    return _governed(transport.call(transport.control(TagServiceStub).DeleteGovernedTag, request))


def list_governed(transport: Transport) -> list[GovernedTag]:
    """The governed tags, by name."""
    method = transport.control(TagServiceStub).ListGovernedTags
    return [_governed(it) for it in all_items(transport, method, ListGovernedTagsRequest(), field="governed_tags")]


def release(transport: Transport, obj: str, tag: str, reason: str) -> TagRelease:
    """The thing may lose the tag."""
    request = CreateTagReleaseRequest(tag_release=governed_tag_pb2.TagRelease(object=obj, tag=tag, reason=reason))
    return _released(transport.call(transport.control(TagServiceStub).CreateTagRelease, request))


def withdraw(transport: Transport, obj: str, tag: str) -> TagRelease:
    """The thing may not lose the tag any more."""
    request = DeleteTagReleaseRequest(object=obj, tag=tag)
    return _released(transport.call(transport.control(TagServiceStub).DeleteTagRelease, request))


def list_releases(transport: Transport) -> list[TagRelease]:
    """The consents on what the caller may discover."""
    method = transport.control(TagServiceStub).ListTagReleases
    return [_released(it) for it in all_items(transport, method, ListTagReleasesRequest(), field="tag_releases")]


def _governed(message: governed_tag_pb2.GovernedTag) -> GovernedTag:
    return GovernedTag(message.tag, message.description, message.creator, from_timestamp(message, "create_time"))


def _released(message: governed_tag_pb2.TagRelease) -> TagRelease:
    return TagRelease(message.object, message.tag, message.reason, message.creator, from_timestamp(message, "create_time"))
