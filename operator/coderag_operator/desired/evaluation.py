"""The evaluation: a Job for each change of what it measures with, or a CronJob. It reaches the search and its judge."""

from collections.abc import Iterator
from typing import Any

from coderag_operator.api.evaluation import Evaluation
from coderag_operator.desired import names
from coderag_operator.desired.certificates import certificate_env, certificate_mounts, certificate_volumes
from coderag_operator.desired.context import Context, Manifest, checksum
from coderag_operator.desired.env import Env, keys, outbound, plain, secret
from coderag_operator.desired.pod import Pod, template
from coderag_operator.desired.workloads import service_account

FOLDER = "/etc/coderag-questions"
MESSAGE = "/dev/termination-log"
DEADLINE_SECONDS = 6 * 3600
LATE_SECONDS = 3600  # how late a run may begin where nobody started it in time


def surroundings(context: Context) -> Iterator[Manifest]:
    """Yield the account, where there is something to measure."""
    if context.stack.spec.evaluation:
        yield service_account(context, names.EVALUATION)


def workload(context: Context) -> Iterator[Manifest]:
    """Yield the Job or the CronJob."""
    wanted = context.stack.spec.evaluation
    if wanted is None:
        return
    job = {
        # A gate that is not reached is an answer, not a failure that another try would mend.
        "backoffLimit": 0,
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "template": template(context, _pod(context, wanted)),
    }
    suspended = context.is_stopped(names.EVALUATION)
    if wanted.schedule:
        yield _repeated(context, wanted.schedule, job, suspended)
    else:
        # Named by what it does: the template of a Job cannot change.
        suffix = f"{names.EVALUATION}-{checksum(job)[:10]}"
        yield context.manifest("batch/v1", "Job", names.EVALUATION, suffix, spec=job | {"suspend": suspended})


def _repeated(context: Context, schedule: str, job: dict[str, Any], suspended: bool) -> Manifest:
    labels = names.labels(context.stack, names.EVALUATION)
    spec = {
        "schedule": schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": LATE_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "suspend": suspended,
        "jobTemplate": {"metadata": {"labels": labels}, "spec": job},
    }
    return context.manifest("batch/v1", "CronJob", names.EVALUATION, spec=spec)


def _pod(context: Context, wanted: Evaluation) -> Pod:
    questions = wanted.questions.config_map_ref
    items = [{"key": questions.key, "path": questions.key}]
    volume = {"name": "questions", "configMap": {"name": questions.name, "items": items}}
    repositories = [word for name in sorted(wanted.repositories) for word in ("--repository", name)]
    gates = [word for gate in sorted(wanted.gates) for word in ("--gate", gate)]
    return Pod(
        component=names.EVALUATION,
        image="evaluation",
        settings=wanted,
        args=["run", f"{FOLDER}/{questions.key}", *repositories, *gates, "--message", MESSAGE],
        env=[*_endpoints(context, wanted), *outbound(context), *certificate_env(context)],
        volumes=[volume, *certificate_volumes(context)],
        mounts=[{"name": "questions", "mountPath": FOLDER, "readOnly": True}, *certificate_mounts(context)],
        restart_policy="Never",
    )


def _endpoints(context: Context, wanted: Evaluation) -> Env:
    env = [*plain(RAG_URL=context.url(names.RAG)), *keys(context, RAG_API_KEY="api-key")]
    if wanted.judge:
        # $$ is a plain dollar: Kubernetes would put another variable's value, a key maybe, in the place of $(NAME).
        env += plain(
            JUDGE_URL=wanted.judge.base_url.replace("$", "$$"), JUDGE_MODEL=wanted.judge.model.replace("$", "$$")
        )
        if reference := wanted.judge.api_key_secret_ref:
            env.append(secret("JUDGE_API_KEY", reference.name, reference.key))
    return env
