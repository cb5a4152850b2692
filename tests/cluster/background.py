"""A cluster by hand: a process that holds it in the background until it is taken down.

The commands `up`, `down` and `run` of control_plane.py and node.py. What one of them started, the others
find in a file of their own folder below the temporary directory.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Callable

SECONDS_TO_END = 30


class Background:
    """The background process of a script: the script itself, with `run` behind it."""

    def __init__(self, script: str, name: str) -> None:
        """`name` is that of the folder."""
        self._script = Path(script)
        self._folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
        self._file = self._folder / "up.json"
        self._log = self._folder / "up.log"

    def state(self) -> dict | None:
        """What run() wrote down, or None where nothing runs."""
        try:
            state = json.loads(self._file.read_text())
            command = Path(f"/proc/{state['pid']}/cmdline").read_bytes()
            return state if self._script.name.encode() in command else None
        except (OSError, ValueError):
            return None

    def run(self, cluster: AbstractContextManager, tell: Callable[[], tuple[str, dict]]) -> int:
        """The foreground: holds the cluster until a signal. `tell` is asked once it is up: what to print, and
        what the other commands must know."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            with cluster:
                text, facts = tell()
                print(text, flush=True)
                self._file.write_text(json.dumps({"pid": os.getpid(), "text": text, **facts}))
                signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            self._file.unlink(missing_ok=True)  # last: down() waits for it
        return 0

    def up(self, quietly: bool = False) -> int:
        """Starts it, and waits until run() has told. `quietly`: what run() says is shown if it fails only."""
        if state := self.state():
            if not quietly:
                print(f"already up (pid {state['pid']})\n{state['text']}")
            return 0
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with open(self._log, "w") as log:
            process = subprocess.Popen([sys.executable, self._script, "run"], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True)
        while process.poll() is None:
            if self.state():
                if not quietly:
                    print(self._log.read_text(), end="")
                return 0
            time.sleep(0.1)
        print(self._log.read_text(), file=sys.stderr)
        return 1

    def down(self) -> int:
        state = self.state()
        if not state:
            print("not up")
            return 0
        os.kill(state["pid"], signal.SIGTERM)
        end = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < end:
            if not self.state():
                shutil.rmtree(self._folder, ignore_errors=True)
                print("down")
                return 0
            time.sleep(0.1)
        print(f"pid {state['pid']} does not end", file=sys.stderr)
        return 1
