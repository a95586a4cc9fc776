"""Another embedding model, fetched and verified: its index is built beside the one that answers, and takes its place.

The files are those of the model in the image under another model's name, whose rules for pooling and prompts then hold.
A few functions are indexed meanwhile, so that all of it is about the change and not about computing vectors. The last
of the scenarios with the stack: its own repository would have to be indexed again for another one.
"""

import base64
import hashlib

import pytest

from e2e import install
from e2e.scenarios.remote import Remote, indexed
from e2e.scenarios.searches import searching
from e2e.waiting import wait_until

OLD, NEW = "all-MiniLM-L6-v2", "bge-small-en-v1.5"
FILES = {"tokenizer.json": "tokenizer.json", "int8.onnx": "model_int8.onnx"}  # in the image, and as published
FUNCTIONS = tuple(
    f"{verb}_{noun}" for verb in ("open", "close", "count", "merge") for noun in ("ledger", "parcel", "harbor")
)
QUESTION, ANSWER = "count the ledger", "count_ledger.py"


def publish(stack, file, name):
    """Put a file of the model in the image on the hub under a name; return its digest."""
    read = f"import base64; print(base64.b64encode(open('/models/{OLD}/{file}', 'rb').read()).decode())"
    content = base64.b64decode(stack.kubectl("exec", f"deploy/{stack.name}-embedding", "--", "python", "-c", read))
    with stack.cluster.forward(stack.namespace, "service/standins-hub", install.PORTS["hub"]) as url:
        install.request("PUT", f"{url}/admin/files/{name}", stack.token, content, "application/octet-stream")
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def source(stack):
    """Where the new model's files are."""
    files = [{"path": name, "sha256": publish(stack, file, name)} for file, name in FILES.items()]
    return {"http": {"url": f"http://standins-hub.{stack.namespace}.svc:{install.PORTS['hub']}", "files": files}}


@pytest.fixture(scope="module")
def remote(stack, tmp_path_factory):
    """The stack with a small repository in place of its own."""
    made = Remote(stack, "shelf", tmp_path_factory.mktemp("shelf"))
    made.push(*FUNCTIONS)
    url = f"http://{made.host}:{install.PORTS['git']}/{made.name}.git"
    with indexed(stack, {"name": made.name, "url": url}, beside=False):
        yield made


def change(stack, embedding, model):
    """Change the model, and wait until the index of the new one has taken over and the one before has gone."""
    stack.patch({"embedding": embedding})

    def has_changed():
        status = stack.get("crs", stack.name)["status"]
        conditions = {one["type"]: one for one in status["conditions"]}
        return status["index"]["model"] == model and conditions["IndexCompatible"]["status"] == "True"

    wait_until(has_changed, f"the index of {model} has taken over", 300)
    stack.wait("Ready", "IndexCompatible")
    wait_until(lambda: f"{stack.name}-embedding-previous" not in deployments(stack), "the model before is gone")


def deployments(stack):
    return {one["metadata"]["name"] for one in stack.children("deployments")}


def test_a_fetched_model_takes_over_and_the_way_back_is_open_and_no_search_goes_unanswered(remote, source):
    stack = remote.stack
    with searching(remote, QUESTION) as answers:
        change(stack, {"model": NEW, "source": source}, NEW)
        assert stack.get("pvc", f"{stack.name}-embedding"), "the files lie on a claim"
        change(stack, {"model": None, "source": None}, OLD)
    wait_until(lambda: not stack.get("pvc", f"{stack.name}-embedding"), "its claim is gone")
    print(f"{len(answers)} searches")
    assert len(answers) > 100
    assert [one for one in answers if one != {"degraded": [], "first": ANSWER}] == []
