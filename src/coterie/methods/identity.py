"""A digest of a callable or a module of the caller's: other code gives another one, another process the same.

Code, defaults, closures, the globals that are used, the attributes and the classes of objects all count.
Classes and functions of installed packages count by their names; of an object counts what it is copied from,
so that its ``__getstate__`` can leave out a counter or a cache.
"""

from __future__ import annotations

import copyreg
import dis
import functools
import hashlib
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie._errors import InputError

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), torch.dtype, torch.device)
_DESCRIPTORS = (GetSetDescriptorType, MemberDescriptorType)
# of a class: what does not change what it does, or differs from process to process
_NO_CODE = {
    "__doc__",
    "__module__",
    "__dict__",
    "__weakref__",
    "_abc_impl",
    "__firstlineno__",
    "__slotnames__",
}
_STDLIB = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
# folders of packages, those of other environments that PYTHONPATH or a .pth file names included
_PACKAGES = {"site-packages", "dist-packages"}
_OURS = __name__.split(".")[0]


def identity_of(name: str, given: object) -> str:
    """A digest of what the caller gave as a parameter.

    Raises
    ------
    InputError
        It holds something that cannot be compared between two processes, such as an open file.

    Examples
    --------
    >>> from functools import partial
    >>> identity_of("augment", partial(pow, 2)) == identity_of("augment", partial(pow, 2))
    True
    >>> identity_of("augment", partial(pow, 2)) == identity_of("augment", partial(pow, 3))
    False
    """
    try:
        return _Digest().of(given)
    except _Unknown as error:
        raise InputError(
            f"{name} must be comparable between two fits where checkpoint_dir is given, but it holds "
            f"{error}; keep that out of it, or fit without checkpoint_dir"
        ) from error


class _Unknown(Exception):
    """Something of which no digest can be made."""


class _Digest:
    """Walks through an object; what was met before counts by the order of its first meeting."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        # the objects themselves, for an id is free again once its object is gone
        self._met: dict[int, tuple[int, object]] = {}

    def of(self, given: object) -> str:
        try:
            self._add(given)
        except RecursionError as error:
            raise _Unknown("objects nested too deeply") from error
        return self._hash.hexdigest()

    def _note(self, *texts: object) -> None:
        for text in texts:
            self._hash.update(f"{text}\0".encode(errors="surrogatepass"))

    def _add(self, given: Any) -> None:
        if isinstance(given, _PLAIN):
            self._note(type(given).__qualname__, repr(given))
            return
        if id(given) in self._met:
            self._note("met", self._met[id(given)][0])
            return
        self._met[id(given)] = (len(self._met), given)
        self._note(type(given).__module__, type(given).__qualname__)
        for kinds, add in _WAYS:
            if isinstance(given, kinds):
                add(self, given)
                return
        self._add_reduced(given)

    def _add_each(self, given: Iterable[Any]) -> None:
        for one in given:
            self._add(one)
        self._note("end")

    def _add_set(self, given: Iterable[Any]) -> None:
        self._note(*sorted(_Digest().of(one) for one in given), "end")

    def _add_dict(self, given: dict[Any, Any]) -> None:
        for item in given.items():
            self._add_each(item)
        self._note("end")

    def _add_array(self, given: np.ndarray[Any, Any]) -> None:
        self._note(given.dtype.str, given.shape)
        if given.dtype.hasobject:
            self._add_each(given.ravel().tolist())
        else:
            self._hash.update(np.ascontiguousarray(given).tobytes())

    def _add_tensor(self, given: Tensor) -> None:
        self._note(given.dtype, tuple(given.shape), given.requires_grad)
        if given.device.type == "meta" or given.layout != torch.strided:
            raise _Unknown(f"a tensor of layout {given.layout} on {given.device}")
        plain = given.detach().resolve_conj().resolve_neg().cpu().contiguous()
        self._hash.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())

    def _add_code(self, given: CodeType) -> None:
        # neither its lines nor its file: they change where the code does not
        self._note(given.co_code.hex(), given.co_flags, given.co_argcount, given.co_kwonlyargcount)
        self._add_each([given.co_names, given.co_varnames, given.co_freevars, given.co_cellvars])
        self._add_each(given.co_consts)

    def _add_function(self, given: FunctionType) -> None:
        self._note(given.__qualname__)
        if _is_installed(given.__module__):
            return
        self._add_each([given.__code__, given.__defaults__, given.__kwdefaults__, given.__dict__])
        self._add_each(_cell_content(cell) for cell in given.__closure__ or ())
        for name in sorted(_globals_of(given.__code__) & given.__globals__.keys()):
            self._note(name)
            self._add(given.__globals__[name])

    def _add_method(self, given: MethodType) -> None:
        self._add_each([given.__func__, given.__self__])

    def _add_builtin(self, given: Any) -> None:
        owner = getattr(given, "__self__", None)
        self._note(getattr(given, "__module__", None), given.__qualname__)
        if owner is not None and not isinstance(owner, ModuleType | type):
            self._add(owner)

    def _add_partial(self, given: functools.partial[Any]) -> None:
        self._add_each([given.func, given.args, given.keywords])

    def _add_module(self, given: ModuleType) -> None:
        self._note(given.__name__)
        file = getattr(given, "__file__", None)
        if not _is_installed(given.__name__) and file is not None and Path(file).is_file():
            self._hash.update(Path(file).read_bytes())

    def _add_class(self, given: type) -> None:
        self._note(given.__module__, given.__qualname__)
        if _is_installed(given.__module__):
            return
        self._add_each(given.__bases__)
        for name, value in sorted(vars(given).items()):
            if name not in _NO_CODE and not isinstance(value, _DESCRIPTORS):
                self._note(name)
                self._add(value)

    def _add_wrapped(self, given: Any) -> None:
        self._add(given.__func__)

    def _add_property(self, given: property) -> None:
        self._add_each([given.fget, given.fset, given.fdel])

    def _add_reduced(self, given: Any) -> None:
        """Any other object, by what it would be copied from."""
        self._add(type(given))
        reduce = copyreg.dispatch_table.get(type(given))
        try:
            parts: Any = given.__reduce_ex__(2) if reduce is None else reduce(given)
        except TypeError as error:  # a lock, a file, a socket
            raise _Unknown(
                f"an object of type {type(given).__module__}.{type(given).__qualname__}"
            ) from error
        if isinstance(parts, str):
            self._note(parts)
            return
        self._add_each(list(part) if hasattr(part, "__next__") else part for part in parts)


_WAYS: tuple[tuple[Any, Callable[..., None]], ...] = (
    ((tuple, list), _Digest._add_each),
    ((set, frozenset), _Digest._add_set),
    (dict, _Digest._add_dict),
    ((np.ndarray, np.generic), lambda digest, given: digest._add_array(np.asarray(given))),
    (Tensor, _Digest._add_tensor),
    (CodeType, _Digest._add_code),
    (FunctionType, _Digest._add_function),
    (MethodType, _Digest._add_method),
    ((BuiltinFunctionType, MethodWrapperType), _Digest._add_builtin),
    (functools.partial, _Digest._add_partial),
    (ModuleType, _Digest._add_module),
    (type, _Digest._add_class),
    ((staticmethod, classmethod), _Digest._add_wrapped),
    (property, _Digest._add_property),
)


def _cell_content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty as yet
        return None


def _globals_of(code: CodeType) -> set[str]:
    """Names of globals that code reads, that of functions inside it included."""
    read = ("LOAD_GLOBAL", "LOAD_NAME")
    names = {str(one.argval) for one in dis.get_instructions(code) if one.opname in read}
    return names.union(*(_globals_of(one) for one in code.co_consts if isinstance(one, CodeType)))


def _is_installed(module: str | None) -> bool:
    """Whether a module comes with Python, with a package, or with this library."""
    root = (module or "").split(".")[0]
    if root == _OURS or root in sys.builtin_module_names:
        return True
    if root == "__main__":
        return False
    file = str(getattr(sys.modules.get(root), "__file__", None))
    return file.startswith(_STDLIB) or not _PACKAGES.isdisjoint(Path(file).parts)
