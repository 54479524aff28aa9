"""Lets one environment find the packages of another, and this checkout: share.py TO FROM."""

import sys
import sysconfig
from pathlib import Path

to, source = (
    Path(sysconfig.get_path("purelib", vars={"base": str(Path(folder).resolve())})) for folder in sys.argv[1:]
)
Path(to, "shared.pth").write_text(f"{source}\n{Path('src').resolve()}\n")
