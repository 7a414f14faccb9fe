# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the demo and draws the table that it shows: docs/images/demo.svg.

usage: terminal_picture.py [SVG]

Needs rich, and ansible-core and requests to run the demo; "make pictures" installs them. Run it
after a change of the demo's table, on a quiet machine: the picture shows the durations of the run.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "demo.svg"
COMMAND = ("ansible-playbook", "-i", "localhost,", "aliops.cloudmonitor.demo")
SECONDS = 300

# The colors of the dark variant of the other pictures.
_BACK, _FRONT = (13, 17, 23), (240, 246, 252)
THEME = TerminalTheme(_BACK, _FRONT, [_FRONT] * 8)
STYLES = {
    r"^\$ .*": Style(bold=True),
    r"^event .*": Style(bold=True),
    r"^-[- ]*$": Style(color="#656c76"),
    r"\b(running)\b": Style(color="#9198a1"),
    r"\b(succeeded)\b": Style(color="#3fb950"),
    r"\b(failed)\b": Style(color="#f85149"),
    r"\b(aborted)\b": Style(color="#d29922"),
    r"^deployment-failure": Style(color="#f85149"),
    r"\b(callback|role|task)(?= {2,})": Style(color="#4493f8"),
}

# The format of rich without its web fonts: a picture must not make requests.
FORMAT = """\
<?xml version="1.0" encoding="UTF-8"?>
<!--
SPDX-FileCopyrightText: aliops.cloudmonitor contributors
SPDX-License-Identifier: GPL-3.0-or-later

Made from the output of the demo by tests/tools/terminal_picture.py.
-->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
aria-labelledby="title desc">
<title id="title">The events that the demo reports</title>
<desc id="desc">A table in a terminal. Each row is one event: its name, whether the callback, \
the role or a task reported it, the deployment, its version and status, how long it took, and \
details such as the task that failed.</desc>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  font-size: {char_height}px;
}}
.{unique_id}-title {{
  font-family: -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, \
sans-serif;
  font-size: 18px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def run_demo() -> str:
    """Run the demo from this checkout and return its output.

    Raises subprocess.CalledProcessError when the demo fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        installed = Path(folder, "ansible_collections", "aliops", "cloudmonitor")
        installed.parent.mkdir(parents=True)
        installed.symlink_to(ROOT)
        env = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": folder,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": folder,
            "ANSIBLE_NOCOLOR": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            COMMAND, env=env, cwd=folder, stdout=subprocess.PIPE, timeout=SECONDS, check=True
        )
    return done.stdout.decode()


def find_table(output: str) -> list[str]:
    """Return the rows of the demo's table with its heading, from the demo's output.

    Raises ValueError when there is no table.
    """
    for shown in re.findall(
        r"^ok: \[localhost\] => (\{\n.*?^\})$", output, re.MULTILINE | re.DOTALL
    ):
        lines = json.loads(shown).get("msg", [])
        heads = [number for number, line in enumerate(lines) if line.startswith("event ")]
        if heads:
            rows: list[str] = lines[heads[0] :]
            return rows[: rows.index("")] if "" in rows else rows
    raise ValueError("the demo's output has no table")


def draw(lines: Sequence[str]) -> str:
    """Return a picture of a terminal with these lines, as SVG."""
    console = Console(
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=max(map(len, lines)) + 2,
    )
    for line in lines:
        text = Text(line, no_wrap=True)
        for pattern, style in STYLES.items():
            text.highlight_regex(pattern, style)
        console.print(Padding(text, (0, 1)))
    console.print()
    svg = console.export_svg(
        title="Alibaba Cloud Monitor demo", theme=THEME, code_format=FORMAT, unique_id="demo"
    )
    return re.sub(r"\n\s*\n", "\n", re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE))


def main(arguments: Sequence[str]) -> None:
    """Write the picture to the file of the first argument, by default to docs/images."""
    target = Path(arguments[0]) if arguments else PICTURE
    lines = ["$ " + " ".join(COMMAND), "", *find_table(run_demo())]
    target.write_text(draw(lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
