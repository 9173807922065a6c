rule screening:
    localrule: True
    input:
        f"{RESULTS}/experiments/{{experiment}}/manifest.json",
    output:
        f"{RESULTS}/experiments/{{experiment}}/chosen.csv",
    log:
        f"{LOGS}/screening/{{experiment}}.log",
    params:
        plan=pipeline.screening_plan(),
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Choosing learning rates by {wildcards.experiment}"
    shell:
        "python -m gradcost screening --plan {params.plan} --data {input} --out {output} > {log} 2>&1"


rule learning_rates:
    localrule: True
    input:
        lambda wildcards: pipeline.study.experiments[wildcards.experiment].screening,
    output:
        f"{REPORTS}/{{experiment}}/learning-rates.tex",
    log:
        f"{LOGS}/tables/{{experiment}}/learning-rates.log",
    params:
        plan=pipeline.artefact_plan("tables", "learning-rates"),
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Writing the table of learning rates of {wildcards.experiment}"
    shell:
        "python -m gradcost table --plan {params.plan} --data {input} --out {output} > {log} 2>&1"


ruleorder: learning_rates > table


rule report:
    localrule: True
    input:
        tex="reports/report.tex",
        scale=[path for path in [f"reports/{pipeline.study.scale}.tex"] if os.path.exists(path)],
        artefacts=[pipeline.artefacts(experiment) for experiment in pipeline.standing],
    output:
        report(
            f"{REPORTS}/report.pdf",
            caption="../report/report.rst",
            category="Report",
            labels={"document": "the whole report"},
        ),
    log:
        f"{LOGS}/report.log",
    params:
        folder=REPORTS,
    conda:
        "../../envs/latex.yaml"
    message:
        "Typesetting {output}"
    shell:
        "envs/typeset.sh {params.folder} > {log} 2>&1"
