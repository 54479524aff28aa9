"""`coterie export`: the clusters of a run, as they were corrected, for other programs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from coterie._errors import InputError, WriteError
from coterie.cli.label_table import write_table
from coterie.cli.open import check_run, library_of, work
from coterie.cli.open.bench import workbench_of
from coterie.cli.open.library import Library
from coterie.cli.open.words import Words
from coterie.corrections.shown import ASIDE
from coterie.data.files import atomic_write

COLUMNS = ("id", "label", "name", "probability", "said")
_LONGEST = 60
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


@dataclass(frozen=True)
class Exported:
    """A clustering as it leaves.

    Attributes
    ----------
    library : Library
    rows : list of (id, label, name, probability, said)
        One a sample.
    names : dict of int to str
        Of clusters, all different.
    """

    library: Library
    rows: list[tuple[str, int, str, float, bool]]
    names: dict[int, str]

    def file(self, row: int) -> Path:
        """The file of a sample."""
        return Path(self.library.meta["folder"], self.library.names[row])

    @property
    def has_files(self) -> bool:
        """Whether each sample is a file."""
        return bool(self.library.meta["folder"])


def run(options: Any, words: Sequence[str]) -> None:
    """Write what is asked for; nothing that exists is replaced."""
    folder, out = Path(options.run), Path(options.out)
    check_run(folder)
    if out.exists():
        raise InputError(f"--out: {out} exists; give a new place")
    exported = gather(folder, options.data)
    try:
        if options.to == "folders":
            write_folders(exported, out, link=options.link)
        elif options.to == "atlas":
            write_atlas(exported, out, folder)
        elif options.to == "model":
            from coterie.cli.export_model import write_model  # torch, which no other format needs

            with _whole(out) as unfinished:
                write_model(folder, exported.library, unfinished)
        else:
            _WRITERS[options.to](exported, out)
    except OSError as error:
        raise WriteError(
            f"--out: {error.filename or out} cannot be written: {error.strerror}; give another place"
        ) from error
    print(f"wrote {out}")


def gather(folder: Path, data: str | None) -> Exported:
    """The clustering of a run as it is shown."""
    library = library_of(folder, data)
    bench = workbench_of(folder, library)
    words, shown = Words(bench), bench.shown
    names = _distinct({cluster: words.name_of(cluster) for cluster in (ASIDE, *shown.clusters)})
    columns = zip(
        library.names, shown.labels.tolist(), shown.certainty.tolist(), shown.said.tolist(), strict=True
    )
    return Exported(library, [(one, label, names[label], p, said) for one, label, p, said in columns], names)


def _distinct(names: dict[int, str]) -> dict[int, str]:
    """Names that no two clusters share: others have their id behind."""
    listed = list(names.values())
    return {
        cluster: name if listed.count(name) == 1 else f"{name} ({cluster})" for cluster, name in names.items()
    }


def folder_names(names: dict[int, str]) -> dict[int, str]:
    """Names of folders that every system takes, all different whatever their case.

    Examples
    --------
    >>> folder_names({0: "../cats", 1: "Cats", 2: "cats", 3: "con", 4: "a/b:c"})
    {0: 'cats_0', 1: 'Cats_1', 2: 'cats_2', 3: 'con_3', 4: 'a_b_c'}
    """
    safe = {
        cluster: re.sub(r"[^\w \-]+", "_", name).strip(" _.")[:_LONGEST].strip() or "cluster"
        for cluster, name in names.items()
    }
    folded = [name.casefold() for name in safe.values()]
    return {
        cluster: f"{name}_{cluster}"
        if folded.count(name.casefold()) > 1 or name.casefold() in _RESERVED
        else name
        for cluster, name in safe.items()
    }


def write_folders(exported: Exported, out: Path, *, link: bool = False) -> None:
    """One folder a cluster; whole or not at all."""
    library = exported.library
    if library.meta["kind"] == "values":
        raise InputError("--to folders: rows of a table are not files; --to csv writes their clusters")
    if link and not exported.has_files:
        raise InputError("--link: the samples are not files")
    folders = folder_names(exported.names)
    with _whole(out) as unfinished:
        for row, (name, label, *_) in enumerate(exported.rows):
            _put(exported, row, unfinished / folders[label] / name, link)


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder that takes its name once all is in it, and goes where that fails."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir()
        yield unfinished
        unfinished.rename(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _put(exported: Exported, row: int, target: Path, link: bool) -> None:
    library = exported.library
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(exported.file(row).absolute())
    elif exported.has_files:
        if library.state(row) != "gone":
            shutil.copy2(exported.file(row), target)
    elif library.pictorial:
        target.with_name(f"{target.name}.png").write_bytes(library.original(row).data)
    else:
        target.with_name(f"{target.name}.txt").write_text(library.detail(row)["text"], encoding="utf-8")


def _write_csv(exported: Exported, out: Path) -> None:
    rows = ((one, label, name, f"{p:.6f}", int(said)) for one, label, name, p, said in exported.rows)
    write_table(out, COLUMNS, rows)


def _write_parquet(exported: Exported, out: Path) -> None:
    _parquet(dict(zip(COLUMNS, map(list, zip(*exported.rows, strict=True)), strict=True)), out)


def _parquet(columns: dict[str, Any], out: Path) -> None:
    from coterie.data.readers.parquet import load_arrow  # an extra, and torch with it

    arrow, parquet = load_arrow()
    with atomic_write(out) as temporary:
        parquet.write_table(arrow.table(columns), temporary)


def _write_json(path: Path, content: Any) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _need_pictures(exported: Exported, to: str) -> None:
    if not (exported.has_files and exported.library.pictorial):
        raise InputError(f"--to {to}: the samples must be image files; --to csv takes all")


def _write_fiftyone(exported: Exported, out: Path) -> None:
    """Names of samples in the two files are row numbers, since theirs may hold slashes."""
    _need_pictures(exported, "fiftyone")
    files = {str(row): str(exported.file(row)) for row in range(len(exported.rows))}
    labels = {
        str(row): {"label": name, "confidence": p, "attributes": {"id": one, "said": said}}
        for row, (one, _, name, p, said) in enumerate(exported.rows)
    }
    with _whole(out) as unfinished:
        _write_json(unfinished / "data.json", files)
        _write_json(
            unfinished / "labels.json", {"classes": sorted(exported.names.values()), "labels": labels}
        )


def _write_labelstudio(exported: Exported, out: Path) -> None:
    """Tasks whose pictures Label Studio serves from the folder of the data."""
    library = exported.library
    kind = "image" if exported.has_files and library.pictorial else "text"
    if kind == "text" and library.meta["kind"] == "values":
        raise InputError("--to labelstudio: the samples must be image files or texts; --to csv takes all")
    tasks = [_task(exported, row, kind) for row in range(len(exported.rows))]
    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in exported.names.values())
    shown = (
        '<Image name="sample" value="$image"/>' if kind == "image" else '<Text name="sample" value="$text"/>'
    )
    with _whole(out) as unfinished:
        _write_json(unfinished / "tasks.json", tasks)
        (unfinished / "config.xml").write_text(
            f'<View>{shown}<Choices name="cluster" toName="sample">{choices}</Choices></View>\n',
            encoding="utf-8",
        )


def _task(exported: Exported, row: int, kind: str) -> dict[str, Any]:
    one, _, name, p, _ = exported.rows[row]
    root = exported.library.meta["folder"]
    address = f"/data/local-files/?d={os.path.basename(root)}/{one}" if kind == "image" else None
    value = address or exported.library.detail(row).get("text", one)
    choice = {"from_name": "cluster", "to_name": "sample", "type": "choices", "value": {"choices": [name]}}
    predictions = [{"model_version": "coterie", "score": p, "result": [choice]}]
    return {"data": {kind: value, "id": one}, "predictions": predictions}


def write_atlas(exported: Exported, out: Path, folder: Path) -> None:
    """A table with places: ``embedding-atlas FILE --x x --y y``."""
    places = exported.library.map()
    if places is None:
        work.finish(work.start("map", str(folder)))
        places = exported.library.map()
    assert places is not None, "the map was drawn"
    library, columns = (
        exported.library,
        dict(zip(COLUMNS, map(list, zip(*exported.rows, strict=True)), strict=True)),
    )
    columns |= {"x": places[:, 0].tolist(), "y": places[:, 1].tolist()}
    if exported.has_files:
        columns["path"] = [str(exported.file(row)) for row in range(len(exported.rows))]
    if not library.pictorial:
        columns["text"] = [library.short(row) for row in range(len(exported.rows))]
    _parquet(columns, out)


_WRITERS: dict[str, Callable[[Exported, Path], None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "fiftyone": _write_fiftyone,
    "labelstudio": _write_labelstudio,
}
