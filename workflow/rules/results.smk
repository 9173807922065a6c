rule aggregate:
    input:
        lambda wildcards: pipeline.records(wildcards.experiment),
    output:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    log:
        f"{LOGS}/aggregate/{{experiment}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.aggregate_plan(wildcards.experiment),
    message:
        "Gathering the records of {wildcards.experiment}"
    shell:
        "python -m gradcost aggregate --plan {params.plan} --out {output}"
        f" --results {RESULTS}"
        " > {log} 2>&1"


rule figure:
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
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.artefact_plan("figures", wildcards.name),
    message:
        "Drawing {wildcards.name} of {wildcards.experiment}"
    shell:
        "python -m gradcost figure --plan {params.plan} --data {input}"
        " --out {output.pdf} --out {output.svg} > {log} 2>&1"


rule table:
    input:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    output:
        f"{REPORTS}/{{experiment}}/{{name}}.tex",
    log:
        f"{LOGS}/tables/{{experiment}}/{{name}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=lambda wildcards: pipeline.artefact_plan("tables", wildcards.name),
    message:
        "Writing the table {wildcards.name} of {wildcards.experiment}"
    shell:
        "python -m gradcost table --plan {params.plan} --data {input} --out {output} > {log} 2>&1"


rule screening:
    input:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    output:
        f"{RESULTS}/experiments/{{experiment}}/chosen.csv",
    log:
        f"{LOGS}/screening/{{experiment}}.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=pipeline.screening_plan(),
    message:
        "Choosing learning rates by {wildcards.experiment}"
    shell:
        "python -m gradcost screening --plan {params.plan} --data {input} --out {output} > {log} 2>&1"


rule learning_rates:
    input:
        lambda wildcards: pipeline.study.experiments[wildcards.experiment].screening,
    output:
        f"{REPORTS}/{{experiment}}/learning-rates.tex",
    log:
        f"{LOGS}/tables/{{experiment}}/learning-rates.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=pipeline.artefact_plan("tables", "learning-rates"),
    message:
        "Writing the table of learning rates of {wildcards.experiment}"
    shell:
        "python -m gradcost table --plan {params.plan} --data {input} --out {output} > {log} 2>&1"


ruleorder: learning_rates > table
