"""Runs the shell commands of a Markdown file: those in fenced blocks marked `sh`, in order, in one shell.

Blocks that cannot run in a clean clone (they name files of the reader's) are marked `console` instead.
"""

import re
import subprocess
import sys
from pathlib import Path

blocks = re.findall(r"^```sh\n(.*?)^```", Path(sys.argv[1]).read_text(), flags=re.MULTILINE | re.DOTALL)
if not blocks:
    sys.exit(f"{sys.argv[1]} has no commands to run")
script = "".join(blocks)
print(script, flush=True)
sys.exit(subprocess.run(["bash", "-euxo", "pipefail", "-c", script]).returncode)
