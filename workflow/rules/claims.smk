rule claims:
    input:
        pipeline.evidence,
    output:
        pipeline.claims,
    log:
        f"{LOGS}/claims.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=pipeline.claims_plan(),
        data=lambda wildcards, input: [f"--data {path}" for path in input],
    message:
        "Judging the claims"
    shell:
        "python -m gradcost claims --plan {params.plan} {params.data} --out {output} > {log} 2>&1"


rule claims_table:
    input:
        pipeline.claims,
    output:
        f"{REPORTS}/claims/{{name}}.tex",
    log:
        f"{LOGS}/tables/claims/{{name}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.artefact_plan("tables.claims", wildcards.name),
    message:
        "Writing the table {wildcards.name} of the claims"
    shell:
        "python -m gradcost table --plan {params.plan} --data {input} --out {output} > {log} 2>&1"


ruleorder: claims_table > table
