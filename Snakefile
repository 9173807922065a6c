# What does it cost to avoid backpropagation?
#
#   snakemake --profile local        the demo scale: minutes on two CPU cores
#   snakemake --profile slurm all    the paper scale, on a GPU cluster
import atexit
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import min_version

from gradcost import at_work, warm
from gradcost.planning.requests import Requests, run_of
from gradcost.study import failures
from gradcost.study.config import ConfigError
from gradcost.study.pipeline import CHECKPOINTS, Pipeline, tell_jobs

min_version("9.20")


report: "workflow/report/workflow.rst"


configfile: "config.yaml"


try:
    pipeline = Pipeline.load(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS, REPORTS = pipeline.results, pipeline.reports
LOGS = f"logs/{pipeline.study.scale}"

tell_jobs(started=workflow.start_time)


wildcard_constraints:
    model="[a-z0-9.-]+",
    task="[a-z0-9.-]+",
    method="[a-z0-9.-]+",
    setting="[a-z0-9.-]+",
    experiment="[a-z0-9.-]+",
    sheet="[a-z0-9.-]+",
    name="[a-z0-9.-]+",
    seed=r"\d+",


rule all:
    default_target: True
    input:
        f"{REPORTS}/report.pdf",
        f"{REPORTS}/report.html",
        [pipeline.artefacts(experiment) for experiment in pipeline.standing],
        pipeline.accounting_artefacts,
        pipeline.theory_artefacts,
        pipeline.claims_artefacts,
        # asked for by name: Snakemake does not miss a file that only led to others
        [pipeline.records(experiment) for experiment in pipeline.standing],
    localrule: True


if pipeline.study.published:

    include: "workflow/rules/published.smk"

else:

    include: "workflow/rules/data.smk"
    include: "workflow/rules/models.smk"
    include: "workflow/rules/train.smk"
    include: "workflow/rules/computed.smk"


include: "workflow/rules/accounting.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/html.smk"


if not workflow.is_main_process:
    at_work.pass_on()
elif notice := at_work.notice(RESULTS):
    logger.warning(notice)


onstart:
    on_slurm = workflow.executor_plugin.name == "slurm"
    if on_slurm:
        trains = (job for job in workflow.dag.needrun_jobs() if job.name == "train")
        first = next(trains, None)  # all have one partition
        partition = first.resources.get("slurm_partition") if first else None
        hours = pipeline.study.cluster.max_hours
        if problem := at_work.problem_with_slurm(partition, hours):
            raise WorkflowError(problem)
    try:
        at_work.begin(RESULTS)
    except at_work.Refused as error:
        raise WorkflowError(str(error)) from None
    if workflow.executor_plugin.name == "local":
        warm.start()
    elif on_slurm:
        name = workflow.scheduler._executor.run_uuid
        at_work.submit_as(RESULTS, name, Path(workflow.basedir, "workflow/slurm"), logger.info)


onsuccess:
    at_work.end(RESULTS)


onerror:
    profile = "slurm" if workflow.executor_plugin.name == "slurm" else "local"
    overlays = [os.path.relpath(p) for p in workflow.configfiles if str(p) != "config.yaml"]
    options = failures.options(profile, overlays)
    logger.info(failures.digest(pipeline, options).text())
    at_work.end(RESULTS)
