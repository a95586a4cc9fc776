"""Failover and rollouts, pass by pass, in a small simulated cluster; the operator may be killed after any write."""

from datetime import timedelta

import pytest
from coderag_operator.kube.kinds import Kind
from tests.specs import merge
from tests.support.courses import FAST, change_chat, converged, labels, reasons, role, spec, step, until
from tests.support.published_models import CHAT_3B, CODE_7B
from tests.support.simulation import NAMESPACE, SHA, Simulation, llama

NEW = "c" * 64


def test_a_server_that_is_not_ready_is_covered_after_a_while_and_comes_back_after_proof():
    simulation = converged()
    assert labels(simulation, "chat") == {"chat"}
    simulation.servers.down.add("chat")
    simulation.run_controllers()
    assert until(simulation, lambda: labels(simulation, "chat") == {"code"}) in range(10, 13)
    step(simulation)
    assert role(simulation, "chat") | {"since": ""} == {
        "role": "chat", "active": "code", "from": "chat", "reason": "NotReady", "flaps": 1, "since": "",
    }  # fmt: skip
    assert simulation.conditions["FailoverActive"]["message"] == "chat is served by code (NotReady)"
    simulation.servers.down.clear()
    assert until(simulation, lambda: labels(simulation, "chat") == {"chat"}) in range(28, 35)
    step(simulation)
    assert simulation.conditions["FailoverActive"]["status"] == "False"
    assert reasons(simulation).count("Failover") == 1
    assert "Failback" in reasons(simulation)


def test_a_failover_is_forgotten_in_time_and_then_nothing_is_written():
    simulation = converged(failover=FAST | {"flapWindow": "60s"})
    simulation.servers.down.add("chat")
    until(simulation, lambda: labels(simulation, "chat") == {"code"})
    simulation.servers.down.clear()
    until(simulation, lambda: labels(simulation, "chat") == {"chat"})
    simulation.settle()
    waits = 0
    while "flaps" in role(simulation, "chat"):
        due = simulation.outcomes[-1].requeue_after
        assert due is not None
        step(simulation, due)
        waits += 1
    assert waits <= 2
    simulation.settle()
    before = sum(simulation.kube.writes.values())
    for _ in range(5):
        step(simulation, 60)
    assert sum(simulation.kube.writes.values()) == before


def test_a_blip_moves_nothing():
    simulation = converged()
    simulation.servers.down.add("chat")
    simulation.run_controllers()
    for _ in range(8):
        step(simulation)
    simulation.servers.down.clear()
    for _ in range(30):
        step(simulation)
        assert labels(simulation, "chat") == {"chat"}
    assert "Failover" not in reasons(simulation)


def test_a_pod_that_is_gone_is_covered_at_once():
    simulation = converged()
    pod = simulation.servers.pods("chat")[0]["metadata"]["name"]
    simulation.kube.remove(("Pod", NAMESPACE, pod))
    step(simulation)
    assert labels(simulation, "chat") >= {"code"}


def test_a_wedged_server_is_covered_and_replaced_and_a_slow_one_is_not():
    simulation = converged()
    simulation.servers.stuck["chat"] = simulation.now.timestamp() - 9
    pod = simulation.servers.pods("chat")[0]["metadata"]["uid"]
    simulation.step()
    assert simulation.servers.pods("chat")[0]["metadata"]["uid"] == pod
    simulation.now += timedelta(seconds=1)
    simulation.step()
    assert simulation.servers.pods("chat") == []
    assert labels(simulation, "chat") == {"code"}
    assert reasons(simulation)[-2:] == ["Wedged", "Failover"] or "Wedged" in reasons(simulation)
    simulation.servers.stuck.clear()
    until(simulation, lambda: labels(simulation, "chat") == {"chat"})


def test_a_server_that_looks_wedged_again_and_again_is_given_more_time():
    simulation = converged()
    found = []
    for _ in range(4):
        simulation.servers.stuck["chat"] = began = simulation.now.timestamp()
        until(simulation, lambda: "Wedged" in [one.reason for one in simulation.outcomes[-1].notices])
        found.append(simulation.now.timestamp() - began)
        simulation.servers.stuck.clear()
        until(simulation, lambda: labels(simulation, "chat") == {"chat"}, limit=900)
    assert found == [10, 10, 10, 20]


def test_no_chain_nobody_stands_in_for_a_stand_in():
    simulation = converged()
    simulation.servers.down.add("chat")
    until(simulation, lambda: labels(simulation, "chat") == {"code"})
    simulation.servers.down.add("code")
    for _ in range(40):
        step(simulation)
        assert "chat" not in labels(simulation, "code")
    simulation.servers.down.discard("chat")  # back while its stand-in is down: it serves at once
    assert until(simulation, lambda: "chat" in labels(simulation, "chat")) <= 3


def test_each_flap_doubles_the_wait_for_the_way_back():
    simulation, waits = converged(), []
    for _ in range(3):
        simulation.servers.down.add("chat")
        until(simulation, lambda: labels(simulation, "chat") == {"code"})
        for _ in range(40):
            step(simulation)
        simulation.servers.down.clear()
        waits.append(until(simulation, lambda: labels(simulation, "chat") == {"chat"}))
    assert waits[0] < waits[1] < waits[2]
    assert waits[2] >= 80


def test_a_model_that_may_not_stand_in_does_not():
    simulation = converged(failover=FAST | {"chatToCode": False})
    simulation.servers.down.add("chat")
    for _ in range(40):
        step(simulation)
    assert labels(simulation, "chat") == {"chat"}
    assert role(simulation, "code")["active"] == "code"


def test_a_first_start_is_no_failover():
    simulation = Simulation(spec())
    simulation.servers.down.add("chat")
    for _ in range(60):
        step(simulation)
    assert "Failover" not in reasons(simulation)
    simulation.servers.down.clear()
    simulation.settle()
    assert labels(simulation, "chat") == {"chat"}


def test_a_new_model_comes_in_while_the_other_answers():
    simulation = converged()
    before = simulation.servers.pods("chat")[0]["metadata"]["uid"]
    change_chat(simulation, contextTokens=2048)
    steps, seen = [], []
    for _ in range(20):
        step(simulation)
        rollout = role(simulation, "chat").get("rollout")
        steps.append(rollout["step"] if rollout else "")
        seen.append((labels(simulation, "chat"), bool(simulation.servers.pods("chat"))))
    assert next(filter(None, steps)) == "Shifting"
    assert {"Draining", "Starting"} & set(steps)
    assert steps[-1] == ""
    assert all(served for served, _ in seen)
    assert all("code" in served for served, alive in seen if not alive)
    assert simulation.servers.pods("chat")[0]["metadata"]["uid"] != before
    assert labels(simulation, "chat") == {"chat"}
    assert simulation.conditions["Ready"]["status"] == "True"
    assert [one for one in reasons(simulation) if one.startswith("Roll")] == ["RolloutStarted", "RolloutDone"]


def test_the_old_server_keeps_running_until_the_stand_in_has_the_label():
    simulation = converged()
    simulation.servers.down.add("code")
    step(simulation)
    before = simulation.servers.pods("chat")[0]["metadata"]["uid"]
    change_chat(simulation, contextTokens=2048)
    for _ in range(30):
        step(simulation)
    assert simulation.servers.pods("chat")[0]["metadata"]["uid"] == before
    assert simulation.child("Deployment", "chat")["spec"]["paused"] is True
    assert role(simulation, "chat")["rollout"]["message"] == "waits until code can answer for chat"
    simulation.servers.down.clear()
    until(simulation, lambda: before not in {pod["metadata"]["uid"] for pod in simulation.servers.pods("chat")})
    simulation.settle()
    assert labels(simulation, "chat") == {"chat"}


@pytest.mark.parametrize("failure", ["broken", "dumb"])
def test_a_new_server_that_does_not_answer_is_rolled_back_and_stays_refused(failure: str):
    simulation = converged()
    good = simulation.servers.pods("chat")[0]["metadata"]["annotations"]["coderag.dev/revision"]
    change_chat(simulation, contextTokens=2048)
    step(simulation)
    bad = simulation.child("Deployment", "chat")["spec"]["template"]["metadata"]["annotations"]["coderag.dev/revision"]
    getattr(simulation.servers, failure).add(bad)
    for _ in range(200):
        step(simulation)
        assert labels(simulation, "chat")
    assert simulation.servers.revision(simulation.servers.pods("chat")[0]) == good
    assert labels(simulation, "chat") == {"chat"}
    assert simulation.conditions["Ready"] | {} == simulation.conditions["Ready"]
    for kind, status, reason in (("Ready", "False", "RolledBack"), ("Stalled", "True", "RolledBack")):
        assert (simulation.conditions[kind]["status"], simulation.conditions[kind]["reason"]) == (status, reason)
    assert simulation.conditions["Available"]["status"] == "True"
    assert role(simulation, "chat")["rollout"]["step"] == "RolledBack"
    assert "120 s" in simulation.conditions["Stalled"]["message"]
    simulation.settle()  # at rest: the refused template is not tried again
    change_chat(simulation, contextTokens=8192)
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"
    assert "--ctx-size" in str(simulation.child("Deployment", "chat")["spec"])


def test_the_gateway_is_kept_from_a_new_server_until_it_has_passed_its_canaries():
    simulation = converged()
    change_chat(simulation, contextTokens=2048)
    step(simulation)
    live = simulation.child("Deployment", "chat")["spec"]["template"]["metadata"]["annotations"]
    simulation.servers.dumb.add(live["coderag.dev/revision"])
    for _ in range(30):
        step(simulation)
    (pod,) = simulation.servers.pods("chat")
    assert "coderag.dev/verified" not in {name for name, value in pod["metadata"]["labels"].items() if value}
    assert role(simulation, "chat")["rollout"]["message"] == "canaries: a request was answered with 500"
    simulation.servers.dumb.clear()
    simulation.settle()
    (pod,) = simulation.servers.pods("chat")
    assert pod["metadata"]["labels"]["coderag.dev/verified"] == "true"


def verified(simulation: Simulation, name: str) -> list[bool]:
    pods = simulation.servers.pods(name)
    return [pod["metadata"]["labels"].get("coderag.dev/verified") == "true" for pod in pods]


def test_the_gateway_is_kept_from_an_old_server_before_it_goes():
    simulation = converged()
    old = simulation.servers.pods("chat")[0]["metadata"]["uid"]
    change_chat(simulation, contextTokens=2048)
    while old in {pod["metadata"]["uid"] for pod in simulation.servers.pods("chat")}:
        paused, before = simulation.child("Deployment", "chat")["spec"]["paused"], verified(simulation, "chat")
        step(simulation)
    assert (paused, before) == (True, [False])


def test_the_gateway_is_kept_from_a_server_that_hangs_or_is_going():
    simulation = converged()
    seen: list[tuple[str, bool]] = []
    end = simulation.kube.delete

    def delete(kind: Kind, namespace: str, name: str, uid: str, grace: int | None = None) -> bool:
        seen.append((kind.name, verified(simulation, "chat")[0]))
        return end(kind, namespace, name, uid, grace)

    simulation.kube.delete = delete  # type: ignore[method-assign]
    simulation.servers.stuck["chat"] = simulation.now.timestamp() - 60
    step(simulation)
    assert seen == [("Pod", False)]
    simulation.servers.stuck.clear()
    simulation.settle()
    name = simulation.servers.pods("chat")[0]["metadata"]["name"]
    leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    simulation.kube.edit(("Pod", NAMESPACE, name), lambda pod: pod["metadata"].update(leaving))
    simulation.step()
    assert verified(simulation, "chat") == [False]


def test_a_spec_that_is_put_back_before_its_turn_restarts_nothing():
    simulation = converged()
    before = simulation.servers.pods("chat")[0]["metadata"]["uid"]
    old = simulation.stack["spec"]
    simulation.servers.down.add("code")
    change_chat(simulation, contextTokens=2048)
    for _ in range(5):
        step(simulation)
    simulation.set_spec(old)
    simulation.servers.down.clear()
    for _ in range(20):
        step(simulation)
    assert simulation.servers.pods("chat")[0]["metadata"]["uid"] == before
    assert "rollout" not in role(simulation, "chat")
    assert labels(simulation, "chat") == {"chat"}


def test_a_spec_that_changes_again_in_the_middle_ends_with_the_last():
    simulation = converged()
    change_chat(simulation, contextTokens=2048)
    for _ in range(3):
        step(simulation)
    change_chat(simulation, contextTokens=8192)
    simulation.settle()
    template = simulation.servers.pods("chat")[0]["metadata"]["annotations"]["coderag.dev/revision"]
    live = simulation.child("Deployment", "chat")["spec"]["template"]
    assert live["metadata"]["annotations"]["coderag.dev/revision"] == template
    arguments = live["spec"]["containers"][0]["args"]
    assert arguments[arguments.index("--ctx-size") + 1] == str(8192 * 2)


def on_one_gpu() -> Simulation:
    """Return a stack whose servers run on one GPU with room for either change."""
    shared = {"gpu": {"sharing": "TimeSlicing", "budgetMiB": 12000}, "models": {name: llama(name) for name in SHA}}
    simulation = Simulation(spec() | shared, geometries={SHA["chat"]: CHAT_3B, SHA["code"]: CODE_7B})
    simulation.settle()
    return simulation


def test_one_role_at_a_time_and_the_one_that_shrinks_first():
    simulation = on_one_gpu()
    models = {"chat": llama("chat", contextTokens=8192), "code": llama("code", contextTokens=2048)}
    simulation.set_spec(merge(simulation.stack["spec"], {"models": models}))
    order: list[str] = []
    for _ in range(60):
        step(simulation)
        alive = {name for name in ("chat", "code") if simulation.servers.pods(name)}
        assert alive, "both servers are away at once"
        for name in ("chat", "code"):
            moving = role(simulation, name).get("rollout", {}).get("step") in ("Draining", "Starting", "Verifying")
            if moving and name not in order:
                order.append(name)
    assert order == ["code", "chat"]
    assert simulation.conditions["Ready"]["status"] == "True"


def test_what_grows_waits_while_what_was_to_shrink_was_rolled_back():
    simulation = on_one_gpu()
    models = {"chat": llama("chat", contextTokens=8192), "code": llama("code", contextTokens=2048)}
    simulation.set_spec(merge(simulation.stack["spec"], {"models": models}))
    step(simulation)
    template = simulation.child("Deployment", "code")["spec"]["template"]["metadata"]["annotations"]
    simulation.servers.broken.add(template["coderag.dev/revision"])
    for _ in range(60):
        step(simulation, 5)
    assert role(simulation, "code")["rollout"]["step"] == "RolledBack"
    assert role(simulation, "chat")["rollout"]["step"] == "Waiting"
    assert simulation.child("Deployment", "chat")["spec"]["paused"] is True
    assert simulation.conditions["Available"]["status"] == "True"


def test_two_servers_that_both_fail_do_not_wait_for_each_other():
    simulation = Simulation(spec())
    simulation.servers.down |= {"chat", "code"}
    for _ in range(10):
        step(simulation)
    models = {name: llama(name, gpuLayers=0, contextTokens=2048) for name in ("chat", "code")}
    simulation.set_spec(merge(simulation.stack["spec"], {"models": models}))
    for _ in range(5):
        step(simulation)
    simulation.servers.down.clear()
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"


def test_facts_that_are_deleted_during_a_failover_are_found_again_in_the_labels():
    simulation = converged()
    simulation.servers.down.add("chat")
    until(simulation, lambda: labels(simulation, "chat") == {"code"})
    simulation.kube.remove(("ConfigMap", NAMESPACE, "demo-facts"))
    for _ in range(10):
        step(simulation)
        assert labels(simulation, "chat") == {"code"}


def test_maintenance_stops_in_order_and_says_when_the_nodes_are_free():
    simulation = converged()
    simulation.set_spec(simulation.stack["spec"] | {"maintenance": True})
    order: list[str] = []
    for _ in range(30):
        step(simulation)
        for suffix in ("gateway", "rag", "chat", "code", "embedding", "qdrant", "ingestion"):
            kind = "StatefulSet" if suffix in ("qdrant", "ingestion") else "Deployment"
            if simulation.child(kind, suffix)["spec"]["replicas"] == 0 and suffix not in order:
                order.append(suffix)
    assert order.index("gateway") <= order.index("rag") <= order.index("chat") <= order.index("qdrant")
    assert simulation.conditions["Ready"]["reason"] == "NodesFree"
    assert simulation.conditions["Reconciling"]["status"] == "False"
    assert "Failover" not in reasons(simulation)
    simulation.set_spec({key: value for key, value in simulation.stack["spec"].items() if key != "maintenance"})
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"


def test_a_component_that_waits_for_a_model_stops_with_the_others():
    simulation = converged()
    bad = llama("chat", gpuLayers=0)
    bad["llamaCpp"]["source"]["http"]["sha256"] = NEW
    simulation.results[NEW] = {"ok": False, "reason": "ChecksumMismatch", "message": "wrong", "transient": False}
    simulation.set_spec(merge(simulation.stack["spec"], {"models": {"chat": bad}, "suspend": True}))
    simulation.settle()
    assert simulation.child("Deployment", "chat")["spec"]["replicas"] == 0
    assert simulation.servers.pods("chat") == []


def test_pods_that_a_node_left_behind_are_removed():
    simulation = converged()
    pod = simulation.servers.pods("chat")[0]
    left = merge(pod, {"metadata": {"name": "left", "uid": None, "resourceVersion": None}})
    left["status"] = {"phase": "Failed", "reason": "UnexpectedAdmissionError"}
    simulation.kube.add(left)
    simulation.step()
    assert ("Pod", NAMESPACE, "left") not in simulation.kube.objects
    assert simulation.servers.pods("chat")
