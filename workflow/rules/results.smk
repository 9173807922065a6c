rule aggregate:
    localrule: True
    input:
        lambda wildcards: pipeline.records(wildcards.experiment),
    output:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    log:
        f"{LOGS}/aggregate/{{experiment}}.log",
    params:
        plan=lambda wildcards: pipeline.aggregate_plan(wildcards.experiment),
        results=RESULTS,
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Gathering the records of {wildcards.experiment}"
    shell:
        "python -m gradcost aggregate --plan {params.plan} --out {output}"
        " --results {params.results} > {log} 2>&1"


rule figure:
    localrule: True
    input:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    output:
        pdf=f"{REPORTS}/{{experiment}}/{{name}}.pdf",
        svg=report(
            f"{REPORTS}/{{experiment}}/{{name}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"experiment": "{experiment}", "figure": "{name}"},
        ),
    log:
        f"{LOGS}/figures/{{experiment}}/{{name}}.log",
    params:
        plan=lambda wildcards: pipeline.artefact_plan("figures", wildcards.name),
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Drawing {wildcards.name} of {wildcards.experiment}"
    shell:
        "python -m gradcost figure --plan {params.plan} --data {input}"
        " --out {output.pdf} --out {output.svg} > {log} 2>&1"


rule table:
    localrule: True
    input:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    output:
        f"{REPORTS}/{{experiment}}/{{name}}.tex",
    log:
        f"{LOGS}/tables/{{experiment}}/{{name}}.log",
    params:
        plan=lambda wildcards: pipeline.artefact_plan("tables", wildcards.name),
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Writing the table {wildcards.name} of {wildcards.experiment}"
    shell:
        "python -m gradcost table --plan {params.plan} --data {input} --out {output} > {log} 2>&1"
