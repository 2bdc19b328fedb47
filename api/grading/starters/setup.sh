#!/usr/bin/env bash
# Run once, when Gradescope builds the autograder's image: a Python from 3.11 with NumPy, and bubblewrap where it works.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
base="${GRADE_BASE:-/autograder}"
apt-get update -qq
python=python3
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    apt-get install -y -qq --no-install-recommends python3-venv
else
    python=python3.11
    apt-get install -y -qq --no-install-recommends python3.11 python3.11-venv
fi
"$python" -m venv "$base/venv"
"$base/venv/bin/pip" install -q numpy
apt-get install -y -qq --no-install-recommends bubblewrap || true
# Students' programs must not read what they are compared with.
chmod 700 "$base/source"
chmod 600 "$base/source/assignment.json"
