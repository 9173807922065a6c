"""`python -m gradcost`."""

import sys

from gradcost import warm

# before anything is imported that the process asked has imported already
code = warm.delegate(sys.argv[1:])
if code is not None:
    sys.exit(code)

from gradcost.cli import app  # noqa: E402

app(prog_name="gradcost")
