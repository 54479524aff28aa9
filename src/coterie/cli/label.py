"""`coterie label`: the page of `coterie open`, beginning with the questions whose answers help most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coterie._errors import InputError
from coterie.cli.open import ending, opened, serve


def run(options: Any, words: Sequence[str]) -> None:
    """Serve until the page's finish button or Ctrl-C; the answers are kept in either case."""
    with opened(Path(options.run), options.data, options.who, options.pairs) as session:
        if len(session.library) < 2:
            raise InputError(f"--data: {session.library.meta['data']} must have at least 2 rows to compare")
        serve(session, options.port, "#/ask")
        print(ending(session))
