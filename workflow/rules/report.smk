rule screening:
    localrule: True
    input:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    output:
        f"{RESULTS}/experiments/{{experiment}}/chosen.csv",
    log:
        "logs/screening/{experiment}.log",
    params:
        plan=pipeline.screening_plan(),
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Choosing learning rates by {wildcards.experiment}"
    shell:
        "python -m gradcost screening --plan {params.plan} --data {input} --out {output} > {log} 2>&1"
