"""Memory that a step frees stays with the process: glibc would give it back, and the next step ask again."""

from __future__ import annotations

import ctypes
import os

# of glibc's malloc.h: which setting, and its value
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_SETTINGS = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 * 2**20))
# where a user says it instead
_VARIABLES = ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")
_TUNABLES = "GLIBC_TUNABLES"


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, up to 2 GiB; whether it does.

    Networks of convolutions free and ask for the same large blocks in every step. Other C libraries than
    glibc are left alone, and so is a process whose environment sets glibc's allocator.
    """
    if not _is_glibc() or _set_by_the_user():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(setting, value) == 1 for setting, value in _SETTINGS)


def _is_glibc() -> bool:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") is not None
    except (AttributeError, ValueError, OSError):  # Windows, another C library, an old kernel
        return False


def _set_by_the_user() -> bool:
    named = any(os.environ.get(name) for name in _VARIABLES)
    return named or "glibc.malloc." in os.environ.get(_TUNABLES, "")
