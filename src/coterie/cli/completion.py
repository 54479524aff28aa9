"""`coterie completion`: a script that makes a shell complete commands, options and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coterie.cli.parser import option_names


def run(options: Any, words: Sequence[str]) -> None:
    """Print the script."""
    from coterie.cli import COMMANDS  # which knows this command too

    print(script(options.shell, {name: option_names(it.parser([])) for name, it in COMMANDS.items()}), end="")


def script(shell: str, options: Mapping[str, Sequence[str]]) -> str:
    """The script for a shell.

    Parameters
    ----------
    shell : {"bash", "zsh", "fish"}
    options : mapping of str to sequence of str
        Options of each command, with their dashes.
    """
    if shell == "fish":
        return _fish(options)
    head = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return head + _bash(options)


def _bash(options: Mapping[str, Sequence[str]]) -> str:
    cases = "\n".join(f"    {name}) words='{' '.join(given)}' ;;" for name, given in options.items())
    return f"""_coterie() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{" ".join(options)}' -- "$word"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}}
complete -o filenames -F _coterie coterie
"""


def _fish(options: Mapping[str, Sequence[str]]) -> str:
    lines = [f"complete -c coterie -n __fish_use_subcommand -f -a '{' '.join(options)}'"]
    for name, given in options.items():
        seen = f"'__fish_seen_subcommand_from {name}'"
        lines += [f"complete -c coterie -n {seen} -l {option[2:]}" for option in given if option[:2] == "--"]
    return "\n".join(lines) + "\n"
