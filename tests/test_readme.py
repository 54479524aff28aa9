"""The commands of the README and of the page on the command line do what these show, in fewer steps."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from coterie.cli import main

ROOT = Path(__file__).parents[1]
SHORTER = ["--max-steps", "20"]


def session(page: str, heading: str) -> list[tuple[list[str], str]]:
    """Commands of a section's console block, each with what it is shown to print."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    block = re.findall(r"```console\n(.*?)```", section, flags=re.DOTALL)[0]
    commands = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(shlex.split(line, comments=True), shown.strip("\n")) for line, _, shown in commands]


def shape(text: str) -> list[str]:
    """Lines with every number as one sign, and no spaces but single ones."""
    return [" ".join(re.sub(r"-?[\d,.]*\d", "#", line).split()) for line in text.strip().splitlines()]


@pytest.mark.filterwarnings("default::coterie.CollapseWarning")
def test_from_a_folder_of_images_to_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("coterie.report.html._MAP_ROWS", 60)  # t-SNE of more takes seconds
    install, *commands = session("docs/command_line.md", "A folder of images, from scratch")
    assert install == (["pip", "install", "."], "")
    assert [" ".join(words[:2]) for words, _ in commands] == ["coterie demo", "coterie fit", "coterie report"]
    for words, shown in commands:
        assert main(words[1:] + (SHORTER if words[1] == "fit" else [])) == 0
        printed = capsys.readouterr().out
        if words[1] == "fit":
            rows = [line for line in shape(printed) if line != "# #"]
            assert rows == [line for line in shape(shown) if line != "# #"]
        else:
            assert printed.strip("\n") == shown
    assert len(list(Path("photos").iterdir())) == 1000
    assert Path("run", "report.html").stat().st_size < 5e6


@pytest.mark.filterwarnings("default::coterie.CollapseWarning")
def test_from_a_folder_of_photos_to_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("coterie.cli.demo_photos.N_PHOTOS", 24)
    install, *commands = session("README.md", "A folder of photos")
    assert install == (["pip", "install", ".[photos]"], "")
    assert [" ".join(words[:2]) for words, _ in commands] == ["coterie demo", "coterie fit", "coterie report"]
    more = [*SHORTER, "--n-jobs", "1"]
    for words, shown in commands:
        assert main(words[1:] + (more if words[1] == "fit" else [])) == 0
        printed, said = capsys.readouterr()
        if words[1] == "fit":
            encoder, _, table = shown.partition("\n")
            assert encoder in said
            rows = [line for line in shape(printed) if line != "# #"]
            assert rows == [line for line in shape(table) if line != "# #"]
        else:
            assert printed.strip("\n") == shown
    assert sorted({path.name.partition("-")[0] for path in Path("photos").iterdir()}) == ["china", "flower"]
    assert len(list(Path("photos").iterdir())) == 24
    page = Path("run", "report.html").read_text()
    assert "k-means with 6 clusters on the same vectors of efficientnet-lite0" in page
    assert page.count('<img src="data:image/jpeg') >= 24
