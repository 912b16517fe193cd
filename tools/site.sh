#!/bin/sh
# site.sh - the manual as web pages: README, docs/ and the pages of results/ by Sphinx, which needs no network. Every link
# within them is followed, and a dead one is an error.
# Usage: tools/site.sh [FOLDER]    (build/site without one; open FOLDER/index.html)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../build/site}
mkdir -p "$out"
out=$(cd "$out" && pwd)
if ! python=$(PATH="/usr/bin:$PATH" command -v python3) || ! "$python" -c 'import sphinx, myst_parser, furo' 2>/dev/null; then
  echo "$0: Sphinx, its Markdown parser or its theme is missing: apt-get install python3-sphinx python3-myst-parser furo" >&2
  exit 77
fi
"$python" -m sphinx -q -W --keep-going -c "$here/site" -d "$out.doctrees" "$here/.." "$out"
echo "wrote $out/index.html"
