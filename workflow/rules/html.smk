rule html:
    input:
        rules.report.input,
        template=glob.glob("src/gradcost/report/page.*"),
    output:
        f"{REPORTS}/report.html",
    log:
        f"{LOGS}/html.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    params:
        plan=pipeline.artefact_plan("report", "html"),
    message:
        "Making the page {output}"
    shell:
        "python -m gradcost.report --plan {params.plan} reports/report.tex {output} > {log} 2>&1"
