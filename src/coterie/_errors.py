"""Exceptions and warnings: one place, so that callers can catch what they mean to catch."""

from __future__ import annotations


class InputError(ValueError):
    """An argument has the wrong value; the message names the argument, what it must be, and what it got."""


class InputTypeError(TypeError):
    """An argument has the wrong type; the message names the argument, what it must be, and what it got."""


class ConflictError(InputError):
    """Pairs contradict each other; the message names the shortest chain that shows it."""


class DamagedFileError(InputError):
    """A file is truncated, altered, or was not written by this library."""


class WriteError(InputError):
    """A file cannot be written: the disk is full, or its folder is missing or not writable."""


class RendezvousError(InputError):
    """The processes of a launcher cannot meet."""


class LostProcessError(RuntimeError):
    """Another process of the same fit has ended; the message says why, and the last checkpoint stands."""


class ReadingNote(UserWarning):
    """What was detected in data, or done to bring them into one form: to be known, and no fault."""


class CollapseWarning(UserWarning):
    """A cluster is not used by any training sample or can hardly come to be, or classes have to share one."""


class SimilarityWarning(UserWarning):
    """A similarity network gives one answer for (almost) every pair of the new data, or the data are few."""


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal; the message names the checkpoint and how to resume."""
