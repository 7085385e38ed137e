"""Keys of other systems in the environment: one that cannot be sent is refused at the start, and never shown."""

from __future__ import annotations

import pytest

from governance_server.config import InvalidSettings, load_settings


@pytest.mark.parametrize("name", ["MESH_VECTORS_API_KEY", "MESH_EMBEDDER_API_KEY", "MESH_CHAT_API_KEY"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "…"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(name: str, end: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{name} holds a line break") as told:
        load_settings({name: f"k-secret{end}"})
    assert "k-secret" not in str(told.value)


def test_an_address_of_a_model_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(InvalidSettings, match="give address and model"):
        load_settings({"MESH_CHAT": "http://[host/v1?model=m"})
