"""Models of a hub: from a folder, from what was downloaded before, or over the network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from coterie._errors import InputError
from coterie.encoders.extras import need
from coterie.encoders.registry import offline_names

EXTRA = "'coterie[hub]'"
# seconds to wait for an answer, where a network without one would let a download wait for minutes
_PATIENCE = 3.0


def from_hub(name: str, model: str, load: Callable[[bool], Any]) -> Any:
    """What `load` gives, from what is here where that suffices.

    Parameters
    ----------
    name : str
        The encoder's, for messages.
    model : str
        A folder, or a name on the hub.
    load : callable
        Takes whether only local files may be used; raises OSError or ValueError where they do not suffice.

    Raises
    ------
    InputError
        The folder holds no model, the hub cannot be reached, or it knows none of this name.
    """
    try:
        return load(True)
    except (OSError, ValueError) as error:
        if not model:
            raise InputError(f"encoder={name!r} must name a model or a folder behind the colon") from error
        if Path(model).exists():
            raise InputError(f"encoder={name!r} must name a model; {_first_line(error)}") from error
    check_network(name)
    try:
        return load(False)
    except (OSError, ValueError) as error:
        raise InputError(f"encoder={name!r} must name a model of the hub; {_first_line(error)}") from error


def check_network(name: str) -> None:
    """Raise at once where the hub cannot be reached."""
    host = urlparse(need("huggingface_hub.constants", EXTRA).ENDPOINT).hostname or ""
    try:
        socket.create_connection((host, 443), _PATIENCE).close()
    except OSError as error:
        raise InputError(
            f"encoder={name!r} must be a folder or a model downloaded before, since {host} cannot be reached "
            f"({error}); without a network there are {', '.join(offline_names())}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
