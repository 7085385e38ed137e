"""Whether the name of a model that a contract writes is the model that made the vectors."""

from __future__ import annotations

import pytest

from mesh_core.model_names import is_model

MINILM = "all-MiniLM-L6-v2@sha256:53aa51172d14"


@pytest.mark.parametrize(
    ("written", "model"),
    [
        ("all-MiniLM-L6-v2", MINILM),
        ("sentence-transformers/all-minilm-l6-v2", MINILM),
        (MINILM, MINILM),
        ("text-embedding-3-small", "text-embedding-3-small@1536"),
        ("openai/text-embedding-3-small", "text-embedding-3-small@1536"),
        ("nomic-embed-text", "nomic-embed-text:latest@768"),
        ("snowflake-arctic", "text2vec-ollama/snowflake-arctic@384"),
        ("hashing", "hashing-256"),
        ("hashing-256", "hashing-256"),
    ],
)
def test_a_name_means_the_model_with_or_without_what_stands_around_it(written, model):
    assert is_model(written, model)


@pytest.mark.parametrize(
    ("written", "model"),
    [
        ("all-MiniLM-L12-v2", MINILM),
        ("text-embedding-3-large", "text-embedding-3-small@1536"),
        ("text-embedding", "text-embedding-3@1536"),
        ("hashing-128", "hashing-256"),
        ("sentence-transformers/", MINILM),
    ],
)
def test_another_name_means_another_model(written, model):
    assert not is_model(written, model)
