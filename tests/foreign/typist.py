"""Types at a shell on a terminal, and says what words became of it.

    typist.py SHELL SCRIPT... < lines

The shell reads each SCRIPT. Each line is typed, then the tab key is pressed, and then, at the front of the line,
`show` is typed, which takes the words that the shell made of the line. For each line, they are printed as JSON. A line
that begins with a question mark is only completed, and not entered.
"""

import json
import os
import pty
import select
import shlex
import sys
import tempfile
import time

START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ":", "show() { printf '%s\\0' \"$@\" > \"$SHOWN\"; }"),
    "zsh": (["zsh", "-f", "-i"], "setopt interactivecomments; autoload -U compinit && compinit -u -D", "show() { printf '%s\\0' \"$@\" > \"$SHOWN\"; }"),
    "fish": (["fish", "--no-config", "-i"], "true", "function show; printf '%s\\0' $argv > $SHOWN; end"),
}
TO_THE_FRONT = "\x01"
PATIENCE_SECONDS = 60


class Terminal:
    """A shell, and what it has shown so far."""

    def __init__(self, command, environment):
        self.shown = b""
        child, self.descriptor = pty.fork()
        if child == 0:
            os.execvpe(command[0], command, environment)

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def wait_for(self, mark):
        end = time.monotonic() + PATIENCE_SECONDS
        while mark.encode() not in self.shown:
            if time.monotonic() > end:
                sys.exit(f"no {mark} in {self.shown!r}")
            if select.select([self.descriptor], [], [], 1)[0]:
                self.shown += os.read(self.descriptor, 65536)
        self.shown = self.shown.split(mark.encode(), 1)[1]


def main():
    shell, *scripts = sys.argv[1:]
    command, before, show = START[shell]
    with tempfile.TemporaryDirectory() as home:
        shown = os.path.join(home, "shown")
        environment = dict(os.environ, HOME=home, SHOWN=shown, TERM="xterm", LC_ALL="C.UTF-8", PS1="$ ")
        terminal = Terminal(command, environment)
        for line in [before, show, *(f". {shlex.quote(script)}" for script in scripts)]:
            terminal.type(f"{line}\r")
        # The mark is not what is typed, which the terminal shows, too.
        terminal.type("echo REA''DY\r")
        terminal.wait_for("READY")
        for line in sys.stdin.read().splitlines():
            is_entered = not line.startswith("?")
            terminal.type(f"{line.lstrip('?')}\t{TO_THE_FRONT}{'show ' if is_entered else '#'}\r")
            terminal.type("echo REA''DY\r")
            terminal.wait_for("READY")
            if not is_entered:
                continue
            with open(shown, "rb") as words:
                print(json.dumps(words.read().decode().split("\0")[:-1]))
            os.unlink(shown)


main()
