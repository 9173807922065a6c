requests = Requests(pipeline.study, Path(RESULTS))
ON_GPU = pipeline.study.hardware.device == "cuda"
RUN = f"{{model}}/{{task}}/{{method}}/{{setting}}/seed{{seed}}"
TRAINING = (
    "Training {wildcards.model} {wildcards.task} {wildcards.method} {wildcards.setting}"
    " seed {wildcards.seed}"
) + (", {resources.gpu_minutes} minutes of a GPU" if ON_GPU else "")

if workflow.is_main_process:
    # after all else: Snakemake says what it would run, and this what that takes
    atexit.register(
        lambda: workflow.dryrun
        and print(requests.summary(workflow.execution_settings.retries) or "")
    )


rule forecast:
    output:
        f"{RESULTS}/forecasts/{{model}}/{{task}}.json",
    log:
        f"{LOGS}/forecasts/{{model}}/{{task}}.log",
    conda:
        "../../envs/gradcost.yaml"
    threads: 2
    params:
        plan=lambda wildcards: pipeline.forecast_plan(
            requests.steps(wildcards.model, wildcards.task, pipeline.runs)
        ),
    message:
        "Forecasting the memory of {wildcards.model} on {wildcards.task}"
    shell:
        "python -m gradcost forecast --plan {params.plan} --out {output} --processes {threads}"
        " > {log} 2>&1"


rule train:
    input:
        tokens=f"{RESULTS}/tokens/{{model}}/{{task}}/manifest.json",
        model=f"{RESULTS}/models/{{model}}/manifest.json",
        # says what to ask for; no run is trained again for a new one
        forecast=ancient(rules.forecast.output[0]) if ON_GPU else [],
    output:
        record=f"{RESULTS}/runs/{RUN}/record.json",
        history=f"{RESULTS}/runs/{RUN}/history.parquet",
    log:
        f"{LOGS}/train/{RUN}.log",
    conda:
        "../../envs/gradcost.yaml"
    threads: pipeline.study.hardware.threads
    resources:
        **requests.resources(),
    params:
        plan=lambda wildcards: pipeline.train_plan(run_of(wildcards)),
        checkpoints=f"{RESULTS}/{CHECKPOINTS}",
    message:
        TRAINING
    shell:
        # a signal to all of the job's processes is for the one that trains
        "trap '' TERM; python -m gradcost train --plan {params.plan} --tokens {input.tokens}"
        " --model {input.model} --out {output.record} --checkpoints {params.checkpoints}"
        " --grows {resources.grows}"
        " 2>&1 | tee {log}"
