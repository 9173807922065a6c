rule model:
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{LOGS}/models/{{model}}.log",
    # where none is trained they are fetched, as data are: nodes of a cluster may have no network
    localrule: not any(model.pretraining for model in pipeline.study.models.values())
    conda:
        "../../envs/gradcost.yaml"
    threads: lambda wildcards: pipeline.model_threads(wildcards.model)
    params:
        plan=lambda wildcards: pipeline.model_plan(wildcards.model),
    message:
        "Making the model {wildcards.model} available"
    shell:
        "python -m gradcost model --plan {params.plan} --out {output} 2>&1 | tee {log}"
