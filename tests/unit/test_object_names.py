"""What an object lies in by its name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mesh_core.names import containment, parents

NAMES = st.one_of(
    st.text(alphabet="ab.#:*mesh tagé\u202e\U0001f600", max_size=12),
    st.text(max_size=12),
    st.text(alphabet="ab.#", max_size=12).map(lambda text: f"tag:{text}"),
    st.sampled_from(["mesh", "mesh#x", "mesh.x", "tag:", "tag:a.b", "", "#", ".", "..", "a.b.c#x.y#z"]),
)


@given(NAMES)
def test_containment_is_the_way_up_through_the_parents(name: str) -> None:
    walked = [name]
    while above := parents(walked[-1]):
        walked.extend(above)
    assert containment(name) == tuple(walked)
