rule model:
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{LOGS}/models/{{model}}.log",
    conda:
        "../../envs/gradcost.yaml"
    threads: lambda wildcards: pipeline.model_threads(wildcards.model)
    params:
        plan=lambda wildcards: pipeline.model_plan(wildcards.model),
    message:
        "Making the model {wildcards.model} available"
    shell:
        "python -m gradcost model --plan {params.plan} --out {output} 2>&1 | tee {log}"
