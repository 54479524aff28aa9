"""Any model of sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.encoders.extras import need
from coterie.encoders.fingerprints import weights_fingerprint
from coterie.encoders.hub import EXTRA, from_hub
from coterie.encoders.probing import width_of


class Sentences:
    """Texts as a model of sentence-transformers gives them.

    Parameters
    ----------
    model : str
        A folder, or a name on the hub.
    """

    modality = "text"
    licence = "that of the model"

    def __init__(self, model: str = "") -> None:
        self.model = model
        self.name = f"sentence-transformers:{model}"
        self.source = f"the model {model} of sentence-transformers"

    @cached_property
    def _network(self) -> Any:
        load = need("sentence_transformers", EXTRA).SentenceTransformer
        return from_hub(
            self.name, self.model, lambda local: load(self.model, device="cpu", local_files_only=local)
        )

    @cached_property
    def width(self) -> int:
        return width_of(self)

    @cached_property
    def fingerprint(self) -> str:
        return weights_fingerprint(self._network.state_dict(), "text", str(self._network.max_seq_length))

    def embed(self, batch: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of texts, float32 of shape (len(batch), width)."""
        found = self._network.encode(list(batch), show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, dtype=np.float32)

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "name": self.name, "source": self.source}
