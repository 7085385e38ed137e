"""TagService: which tags the centre governs, and what it lets lose one."""

from __future__ import annotations

import grpc

from domainmesh.v1 import governed_tag_pb2, tag_service_pb2_grpc
from domainmesh.v1 import tag_service_pb2 as pb
from governance_server.backend import Backend, Page, read
from governance_server.caller import Caller, current_caller
from governance_server.editing.editor import Edit, create, end
from governance_server.editing.registry import GOVERNED_TAGS, TAG_RELEASES
from governance_server.journal.command import Outcome, Transaction
from governance_server.rules import kinds
from mesh_core.names import MESH

__all__ = ["TagService"]


class TagService(tag_service_pb2_grpc.TagServiceServicer):
    """Serves governed tags and consents to lose one."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def CreateGovernedTag(
        self, request: pb.CreateGovernedTagRequest, context: grpc.ServicerContext
    ) -> governed_tag_pb2.GovernedTag:
        """Governs a tag or a family of tags."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            edit = Edit.on(self._backend, tx, caller)
            governed = create(edit, GOVERNED_TAGS, request.governed_tag)
            return Outcome("governed_tag.created", governed.tag, edit.state.writes(), governed.SerializeToString())

        return governed_tag_pb2.GovernedTag.FromString(self._backend.submit(request, request.request_id, run).reply)

    def ListGovernedTags(self, request: pb.ListGovernedTagsRequest, context: grpc.ServicerContext) -> pb.ListGovernedTagsResponse:
        """Lists governed tags. Everyone may see them."""
        page = Page.of(request.page_size, request.page_token)
        rows = self._backend.catalog.list(kinds.GOVERNED_TAG, limit=page.size + 1, after_name=page.after)
        found = [governed_tag_pb2.GovernedTag.FromString(body) for _, body in rows[: page.size]]
        more = Page.token(rows[page.size - 1][0]) if len(rows) > page.size else ""
        return pb.ListGovernedTagsResponse(governed_tags=found, next_page_token=more)

    def DeleteGovernedTag(
        self, request: pb.DeleteGovernedTagRequest, context: grpc.ServicerContext
    ) -> governed_tag_pb2.GovernedTag:
        """Gives a tag back to the domains."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", MESH)
            name = GOVERNED_TAGS.name_of(governed_tag_pb2.GovernedTag(tag=request.tag))
            governed = read(tx, kinds.GOVERNED_TAG, name, governed_tag_pb2.GovernedTag)
            edit = Edit.on(self._backend, tx, caller)
            end(edit, GOVERNED_TAGS, governed)
            return Outcome("governed_tag.deleted", name, edit.state.writes(), governed.SerializeToString())

        return governed_tag_pb2.GovernedTag.FromString(self._backend.submit(request, request.request_id, run).reply)

    def CreateTagRelease(self, request: pb.CreateTagReleaseRequest, context: grpc.ServicerContext) -> governed_tag_pb2.TagRelease:
        """Consents that one thing may be released without a governed tag it has carried."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            edit = Edit.on(self._backend, tx, caller)
            release = create(edit, TAG_RELEASES, request.tag_release)
            return Outcome("tag_release.created", release.object, edit.state.writes(), release.SerializeToString())

        return governed_tag_pb2.TagRelease.FromString(self._backend.submit(request, request.request_id, run).reply)

    def ListTagReleases(self, request: pb.ListTagReleasesRequest, context: grpc.ServicerContext) -> pb.ListTagReleasesResponse:
        """Lists consents on what the caller may discover."""
        page = Page.of(request.page_size, request.page_token)
        visible = self._backend.policy.visibility(current_caller())
        rows = self._backend.catalog.list(kinds.TAG_RELEASE, limit=None, after_name=page.after)
        known = [(name, governed_tag_pb2.TagRelease.FromString(body)) for name, body in rows]
        found = [(name, release) for name, release in known if visible.allows(release.object)]
        more = Page.token(found[page.size - 1][0]) if len(found) > page.size else ""
        return pb.ListTagReleasesResponse(tag_releases=[release for _, release in found[: page.size]], next_page_token=more)

    def DeleteTagRelease(self, request: pb.DeleteTagReleaseRequest, context: grpc.ServicerContext) -> governed_tag_pb2.TagRelease:
        """Takes a consent back; releases that were made with it stay."""

        def run(tx: Transaction, caller: Caller) -> Outcome:
            self._backend.policy.authorise(caller, "administer", MESH)
            name = kinds.tag_release_name(request.object, request.tag)
            release = read(tx, kinds.TAG_RELEASE, name, governed_tag_pb2.TagRelease)
            edit = Edit.on(self._backend, tx, caller)
            end(edit, TAG_RELEASES, release)
            return Outcome("tag_release.deleted", request.object, edit.state.writes(), release.SerializeToString())

        return governed_tag_pb2.TagRelease.FromString(self._backend.submit(request, request.request_id, run).reply)
