#!/usr/bin/env python3
"""Adds files and folders to a DVC repository with the real DVC, and tells what DVC wrote.

usage: .deps/data-peers/bin/python dvc_folder.py REPOSITORY PATH [PATH ...]
       .deps/data-peers/bin/python dvc_folder.py REPOSITORY --checkout FILE.dvc [FILE.dvc ...]
       .deps/data-peers/bin/python dvc_folder.py REPOSITORY --status

REPOSITORY becomes one (`dvc init --no-scm`) if it is none yet; each PATH inside it is added. Prints JSON:
`pointers`, path of each `.dvc` file -> its text; `listings`, path in the cache of each `.dir` -> its text; `cache`, every
path in the cache. --checkout restores the data that the pointers name, --status gives DVC's own comparison (`{}`: all is
as the pointers say); both print `answer`, what `dvc` said.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def dvc(repository: Path, *words: str) -> str:
    settings = {
        **os.environ, "DVC_NO_ANALYTICS": "1", "DVC_TEST": "true", "DVC_SITE_CACHE_DIR": str(repository / ".dvc" / "site"),
        "PYTHONWARNINGS": "ignore", "TZ": "UTC",
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dvc"), *words], cwd=repository, env=settings, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"dvc_folder: dvc {' '.join(words)} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def written(repository: Path) -> dict[str, Any]:
    cache = repository / ".dvc" / "cache" / "files" / "md5"
    kept = sorted(path for path in cache.rglob("*") if path.is_file())
    return {
        "pointers": {
            str(path.relative_to(repository)): path.read_text(encoding="utf-8")
            for path in sorted(repository.rglob("*.dvc")) if path.is_file()},
        "listings": {
            str(path.relative_to(cache)): path.read_text(encoding="utf-8") for path in kept if path.suffix == ".dir"},
        "cache": [str(path.relative_to(cache)) for path in kept],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Adds data to a DVC repository.")
    parser.add_argument("repository", type=Path)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--checkout", action="store_true")
    parser.add_argument("--status", action="store_true")
    options = parser.parse_intermixed_args()
    repository = options.repository.resolve()
    if not (repository / ".dvc").is_dir():
        dvc(repository, "init", "--no-scm", "--quiet")
    if options.status:
        print(json.dumps({"answer": json.loads(dvc(repository, "status", "--json", *options.paths) or "{}")}))
    elif options.checkout:
        print(json.dumps({"answer": dvc(repository, "checkout", "--force", *options.paths)}))
    else:
        dvc(repository, "add", "--quiet", *options.paths)
        print(json.dumps(written(repository), indent=1, ensure_ascii=False))
    return 0


sys.exit(main())
