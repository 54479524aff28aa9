"""Texts as the mean of WordLlama's token vectors: fast, and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.encoders.extras import need, weights_file
from coterie.encoders.fingerprints import file_fingerprint

_EXTRA = "'coterie[texts]'"


class WordLlama:
    """256 numbers a text: the mean of the vectors of its tokens, of length 1.

    The package's own code is not imported: its two files are all that is needed.
    """

    name = "wordllama"
    modality = "text"
    licence = "MIT"
    source = "token vectors of language models, trained on pairs of English texts"
    language = "English"
    width = 256

    @cached_property
    def fingerprint(self) -> str:
        return file_fingerprint(self._file("256.safetensors"))

    def _file(self, ending: str) -> Any:
        return weights_file("wordllama", ending, _EXTRA)

    @cached_property
    def _tokens(self) -> Any:
        made = need("tokenizers", _EXTRA).Tokenizer.from_file(
            str(self._file("l2_supercat_tokenizer_config.json"))
        )
        made.no_padding()
        made.no_truncation()
        return made

    @cached_property
    def _vectors(self) -> npt.NDArray[np.float32]:
        from safetensors.numpy import load_file

        found: npt.NDArray[np.float32] = load_file(self._file("256.safetensors"))["embedding.weight"]
        return found.astype(np.float32)

    def embed(self, batch: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of texts, float32 of shape (len(batch), 256)."""
        vectors = self._vectors
        found = np.zeros((len(batch), self.width), dtype=np.float32)
        for row, tokens in enumerate(self._tokens.encode_batch(list(batch), add_special_tokens=False)):
            if tokens.ids:
                found[row] = vectors[np.minimum(tokens.ids, len(vectors) - 1)].mean(axis=0)
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {}
