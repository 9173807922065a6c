rule price:
    output:
        f"{RESULTS}/accounting/{{sheet}}.json",
    log:
        f"{LOGS}/accounting/{{sheet}}.log",
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.sheet_plan(wildcards.sheet),
    message:
        "Pricing {wildcards.sheet}"
    shell:
        "python -m gradcost price --plan {params.plan} --out {output} > {log} 2>&1"


rule theory:
    output:
        pipeline.theory,
    log:
        f"{LOGS}/theory.log",
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=pipeline.theory_plan(),
    message:
        "Verifying the lemmas and theorems"
    shell:
        "python -m gradcost theory --plan {params.plan} --out {output} > {log} 2>&1"
