#!/usr/bin/env bash
# Runs the gateway's tests in an environment of their own, made from the lock when it is missing or old:
# LiteLLM's pins clash with the other parts. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."
"${PYTHON:-python3}" -m e2e.venv .venv-gateway requirements/gateway-test.txt
# An absolute path, because the gateway under test is measured too, in a process of its own.
export COVERAGE_FILE="${COVERAGE_FILE:-$PWD/.coverage.gateway}"
exec .venv-gateway/bin/python -m coverage run --parallel-mode --source=coderag_gateway -m pytest -q images/gateway/tests "$@"
