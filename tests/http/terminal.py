"""The command of the arguments on a terminal, and in a pipe: what it draws on the first, it does not write into the second.

    python tests/http/terminal.py holdfast export new trl-sft --url … --to …
"""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

COMMAND = sys.argv[1:]


def on_a_terminal():
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        os.execv(COMMAND[0], COMMAND)
    text = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        text += more
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, text
    return text


seen = on_a_terminal()
# The spinner while it is made, the bar while it is downloaded.
assert b"\x1b" in seen and b" sessions, " in seen and b"B/s" in seen, seen
piped = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True)
assert piped.returncode == 0, piped.stderr
assert piped.stderr == b"" and b"\x1b" not in piped.stdout, (piped.stdout, piped.stderr)
print("drawn on a terminal only")
