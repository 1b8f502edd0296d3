"""Where things lie: in the repository, and on the site."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SITE = ROOT / ".cache" / "site"
REFERENCE = ROOT / ".cache" / "reference"
"""What `reference.py` writes and the site takes in."""

KEPT_ELSEWHERE = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "model/README.md": "project/model.md",
    "tests/README.md": "project/tests.md",
    "benchmarks/README.md": "project/benchmarks.md",
    "examples/document_indexing/README.md": "project/document-indexing.md",
}
"""Pages of the repository that are on the site too."""
