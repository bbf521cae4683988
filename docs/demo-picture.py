"""Draws docs/demo.svg from what the demo prints on a real terminal.

    pip install rich; tmux needed
    python3 docs/demo-picture.py target/release/halcyon
"""

import subprocess
import sys
import time

from rich.console import Console
from rich.text import Text

FORMAT = """<svg class="rich-terminal" xml:space="preserve" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ white-space: pre; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""

WIDTH, HEIGHT = 100, 62


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", "halcyon-picture", *arguments], capture_output=True, text=True, check=True).stdout


def main(program):
    tmux("new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), f"{program} demo --seed 7; sleep 3")
    shown = ""
    try:
        for _ in range(600):
            time.sleep(0.1)
            shown = tmux("capture-pane", "-p", "-e", "-S", "-200")
            if "Done in" in shown and "Next:" in shown:
                break
    finally:
        tmux("kill-server")
    lines = shown.rstrip().splitlines()
    # The picture is of what happens; how it is set up, and that it is on record, is for whoever runs it.
    begin = next(i for i, line in enumerate(lines) if "4. " in line)
    end = next(i for i, line in enumerate(lines) if "7. " in line)
    console = Console(record=True, width=WIDTH, file=open("/dev/null", "w"), force_terminal=True)
    console.print(Text.from_ansi("\n".join(lines[begin:end])))
    console.save_svg("docs/demo.svg", title="halcyon demo", code_format=FORMAT)


main(sys.argv[1])
