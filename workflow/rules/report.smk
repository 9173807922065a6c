import glob


rule contents:
    output:
        f"{REPORTS}/contents.tex",
    log:
        f"{LOGS}/contents.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=pipeline.contents_plan(),
    message:
        "Writing what the report is of"
    shell:
        "python -m gradcost contents --plan {params.plan} --out {output} > {log} 2>&1"


rule settings:
    input:
        pipeline.manifests,
    output:
        f"{REPORTS}/settings.tex",
    log:
        f"{LOGS}/settings.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=pipeline.settings_plan(),
        data=lambda wildcards, input: [f"--data {path}" for path in input],
    message:
        "Writing the table of what experiments set otherwise"
    shell:
        "python -m gradcost settings --plan {params.plan} {params.data} --out {output} > {log} 2>&1"


rule report:
    input:
        tex=["reports/report.tex", *sorted(glob.glob("reports/parts/*.tex"))],
        contents=rules.contents.output,
        settings=rules.settings.output,
        scale=[path for path in [f"reports/{pipeline.study.scale}.tex"] if os.path.exists(path)],
        artefacts=[pipeline.artefacts(experiment) for experiment in pipeline.standing],
        accounting=pipeline.accounting_artefacts,
        theory=pipeline.theory_artefacts,
        claims=pipeline.claims_artefacts,
    output:
        report(
            f"{REPORTS}/report.pdf",
            caption="../report/report.rst",
            category="Report",
            labels={"document": "the whole report"},
        ),
    log:
        f"{LOGS}/report.log",
    localrule: True
    conda:
        "../../envs/latex.yaml"
    message:
        "Typesetting {output}"
    shell:
        "envs/typeset.sh {output} > {log} 2>&1"
