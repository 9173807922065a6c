rule train:
    input:
        tokens=f"{RESULTS}/tokens/{{model}}/{{task}}/manifest.json",
        model=f"{RESULTS}/models/{{model}}/manifest.json",
    output:
        record=f"{RESULTS}/runs/{{model}}/{{task}}/{{method}}/{{setting}}/seed{{seed}}/record.json",
        history=f"{RESULTS}/runs/{{model}}/{{task}}/{{method}}/{{setting}}/seed{{seed}}/history.parquet",
    log:
        f"{LOGS}/train/{{model}}/{{task}}/{{method}}/{{setting}}/seed{{seed}}.log",
    conda:
        "../../envs/gradcost.yaml"
    threads: pipeline.study.hardware.threads
    resources:
        gpu=int(pipeline.study.hardware.device == "cuda"),
    params:
        plan=lambda wildcards: pipeline.train_plan(
            Run(
                wildcards.model,
                wildcards.task,
                wildcards.method,
                wildcards.setting,
                int(wildcards.seed),
            )
        ),
        checkpoints=f"{RESULTS}/{CHECKPOINTS}",
    message:
        "Training {wildcards.model} {wildcards.task} {wildcards.method} {wildcards.setting}"
        " seed {wildcards.seed}"
    shell:
        "python -m gradcost train --plan {params.plan} --tokens {input.tokens}"
        " --model {input.model} --out {output.record} --checkpoints {params.checkpoints}"
        " 2>&1 | tee {log}"
