"""Builds the site: the reference from the package, the pages by mkdocs in an environment of its own, and a look at all.

.venv/bin/python tools/site/build.py           the site, in .cache/site
.venv/bin/python tools/site/build.py --serve   the same, then shown at http://127.0.0.1:8000
"""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import bootstrap
import check
import locked
import places
import reference

ENVIRONMENT = places.ROOT / ".cache" / "docs"
LOCK = places.ROOT / "requirements" / "docs.txt"


def main() -> int:
    """Build, check and, when asked, show."""
    found = bootstrap.probe(sys.executable)
    locked.bring_up_to_date(ENVIRONMENT, LOCK, found[1] if found else sys.executable)
    reference.main()
    # The theme's authors print what they think of the next mkdocs at every build.
    quiet = {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    command = [str(locked.python_in(ENVIRONMENT)), "-m", "mkdocs", "build", "--clean", "--strict"]
    built = subprocess.run(
        command, cwd=places.ROOT, env=os.environ | quiet, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        print(built.stdout + built.stderr, file=sys.stderr)
        return 1
    breaches = check.breaches(places.SITE)
    for breach in breaches:
        print(f"site: {breach}", file=sys.stderr)
    if breaches:
        return 1
    where = places.SITE.relative_to(places.ROOT)
    print(f"site: {len(list(places.SITE.rglob('*.html')))} pages in {where}, as HTML and Markdown")
    if "--serve" in sys.argv:
        serve()
    return 0


def serve() -> None:
    """Show the site until Ctrl-C."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(places.SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 8000), handler) as server:
        print("site: http://127.0.0.1:8000")
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
