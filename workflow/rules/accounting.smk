rule accounting_figure:
    input:
        pipeline.sheets,
    output:
        pdf=f"{REPORTS}/accounting/{{name}}.pdf",
        svg=report(
            f"{REPORTS}/accounting/{{name}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"experiment": "accounting", "figure": "{name}"},
        ),
    log:
        f"{LOGS}/figures/accounting/{{name}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.artefact_plan("figures.accounting", wildcards.name),
        data=lambda wildcards, input: [f"--data {path}" for path in input],
    message:
        "Drawing {wildcards.name} of the accounting"
    shell:
        "python -m gradcost figure --plan {params.plan} {params.data}"
        " --out {output.pdf} --out {output.svg} > {log} 2>&1"


rule accounting_table:
    input:
        pipeline.sheets,
    output:
        f"{REPORTS}/accounting/{{name}}.tex",
    log:
        f"{LOGS}/tables/accounting/{{name}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.artefact_plan("tables.accounting", wildcards.name),
        data=lambda wildcards, input: [f"--data {path}" for path in input],
    message:
        "Writing the table {wildcards.name} of the accounting"
    shell:
        "python -m gradcost table --plan {params.plan} {params.data} --out {output} > {log} 2>&1"


ruleorder: accounting_table > table
ruleorder: accounting_figure > figure
