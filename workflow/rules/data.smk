rule data:
    output:
        f"{RESULTS}/data/{{task}}/manifest.json",
    log:
        f"{LOGS}/data/{{task}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.data_plan(wildcards.task),
    message:
        "Preparing the data of {wildcards.task}"
    shell:
        "python -m gradcost data --plan {params.plan} --out {output} > {log} 2>&1"


rule tokens:
    input:
        data=f"{RESULTS}/data/{{task}}/manifest.json",
        model=f"{RESULTS}/models/{{model}}/manifest.json",
    output:
        f"{RESULTS}/tokens/{{model}}/{{task}}/manifest.json",
    log:
        f"{LOGS}/tokens/{{model}}/{{task}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.token_plan(wildcards.model, wildcards.task),
    message:
        "Tokenising {wildcards.task} for {wildcards.model}"
    shell:
        "python -m gradcost tokens --plan {params.plan} --data {input.data} --model {input.model}"
        " --out {output} > {log} 2>&1"
