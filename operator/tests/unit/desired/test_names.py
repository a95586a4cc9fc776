"""Names that other parts rely on (docs/architecture.md)."""

from coderag_operator.desired import cache_claim_name, facts_name, keys_secret_name, labels, service_url
from tests.specs import make_stack, nest


def test_names_start_with_the_stacks():
    stack = make_stack()
    assert (facts_name(stack), keys_secret_name(stack), cache_claim_name(stack)) == (
        "demo-facts",
        "demo-keys",
        "demo-models",
    )


def test_keys_of_the_users_keep_their_name():
    assert keys_secret_name(make_stack(nest("auth.existingSecretRef.name", "mine"))) == "mine"


def test_an_address_is_one_that_a_no_proxy_entry_covers():
    assert service_url(make_stack(), "rag") == "http://demo-rag.team.svc:8002"
    assert service_url(make_stack(), "chat", "active-chat") == "http://demo-active-chat.team.svc:8001"


def test_every_child_is_labelled_as_documented():
    assert labels(make_stack(), "rag") == {
        "app.kubernetes.io/name": "coderag",
        "app.kubernetes.io/instance": "demo",
        "app.kubernetes.io/component": "rag",
        "app.kubernetes.io/managed-by": "coderag-operator",
        "coderag.dev/stack": "demo",
    }
