rule theory_figure:
    input:
        pipeline.theory,
    output:
        pdf=f"{REPORTS}/theory/{{name}}.pdf",
        svg=report(
            f"{REPORTS}/theory/{{name}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"experiment": "theory", "figure": "{name}"},
        ),
    log:
        f"{LOGS}/figures/theory/{{name}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.artefact_plan("figures.theory", wildcards.name),
    message:
        "Drawing {wildcards.name} of the theory"
    shell:
        "python -m gradcost figure --plan {params.plan} --data {input}"
        " --out {output.pdf} --out {output.svg} > {log} 2>&1"


rule theory_table:
    input:
        pipeline.theory,
    output:
        f"{REPORTS}/theory/{{name}}.tex",
    log:
        f"{LOGS}/tables/theory/{{name}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.artefact_plan("tables.theory", wildcards.name),
    message:
        "Writing the table {wildcards.name} of the theory"
    shell:
        "python -m gradcost table --plan {params.plan} --data {input} --out {output} > {log} 2>&1"


ruleorder: theory_table > table
ruleorder: theory_figure > figure
