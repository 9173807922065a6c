rule price:
    output:
        f"{RESULTS}/accounting/{{sheet}}.json",
    log:
        f"{LOGS}/accounting/{{sheet}}.log",
    conda:
        "../../envs/gradcost.yaml"
    threads: 2
    params:
        plan=lambda wildcards: pipeline.sheet_plan(wildcards.sheet),
    message:
        "Pricing {wildcards.sheet}"
    shell:
        "python -m gradcost price --plan {params.plan} --out {output} --processes {threads}"
        " > {log} 2>&1"
