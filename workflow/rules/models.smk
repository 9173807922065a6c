rule model:
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{LOGS}/models/{{model}}.log",
    params:
        plan=lambda wildcards: pipeline.model_plan(wildcards.model),
    threads: lambda wildcards: pipeline.model_threads(wildcards.model)
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Making the model {wildcards.model} available"
    shell:
        "python -m gradcost model --plan {params.plan} --out {output} 2>&1 | tee {log}"
