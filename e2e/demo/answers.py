"""Ask a stack and print what came back the way a reader wants to see it."""

import json
from typing import Any

from e2e.install import request
from e2e.progress import read_conditions

NEXT = """What to type next:
  export KUBECONFIG={kubeconfig}
  {kubectl} -n {namespace} get crs,pods
  {kubectl} -n {namespace} describe crs {stack}
  {kubectl} -n {namespace} port-forward service/{stack}-gateway 8000 &
  KEY=$({kubectl} -n {namespace} get secret {stack}-keys -o jsonpath='{{.data.api-key}}' | base64 -d)
  curl -s localhost:8000/v1/chat/completions -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\
    -d '{{"model": "coderag", "messages": [{{"role": "user", "content": "Where is the Lease taken?"}}]}}'
  make demo-down          # removes the cluster again
"""
RANDOM_MODELS = """Note: no model address was given, so both language models are tiny files of random numbers,
served by the real llama-server: the answers above are noise on purpose. Search, hits and the whole path are real.
For real answers:
  make demo CHAT_MODEL_URL=https://.../chat.gguf CODE_MODEL_URL=https://.../code.gguf"""


def post(url: str, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST JSON to the rag service."""
    return dict(json.loads(request("POST", url + path, key, json.dumps(body).encode())))


def show(url: str, key: str, question: str) -> None:
    """Print the hits and the answer with its citations for one question."""
    print(f"\nQ: {question}")
    for hit in post(url, key, "/v1/search", {"query": question, "limit": 5})["hits"]:
        print(f"   {hit['path']}:{hit['start_line']}-{hit['end_line']}  {hit['score']:.4f}")
    answer = post(url, key, "/v1/ask", {"question": question, "max_tokens": 48})
    print(f"A ({answer['model']}, served by {answer['served_by']}): {' '.join(answer['answer'].split())[:400]}")
    cited = answer["citations"]
    for citation in cited:
        lines = f"{citation['start_line']}-{citation['end_line']}"
        print(f"   {citation['marker']} {citation['path']}:{lines} at {citation['commit'][:7]}")
    if not cited:
        print("   the model cited nothing; sources offered to it:")
        for source in answer["sources"][:3]:
            print(f"   {source['path']}:{source['start_line']}-{source['end_line']}")


def tabulate_conditions(stack: dict[str, Any]) -> str:
    """Return the conditions as a table."""
    rows = [f"{'CONDITION':18} {'STATUS':8} {'REASON':22} MESSAGE"]
    rows += [f"{kind:18} {item['status']:8} {item.get('reason', ''):22} {item.get('message', '')}"
             for kind, item in read_conditions(stack).items()]  # fmt: skip
    return "\n".join(rows)
