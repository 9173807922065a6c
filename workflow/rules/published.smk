# In place of all that runs: the records that were published.
rule unpack:
    input:
        pipeline.pack,
    output:
        pipeline.unpacked,
        pipeline.computed,
    log:
        f"{LOGS}/unpack.log",
    localrule: True
    conda:
        "../../envs/gradcost.yaml"
    message:
        "Unpacking {input}"
    shell:
        "python -m gradcost unpack --pack {input} --results "
        + RESULTS
        + " --out {output[0]} > {log} 2>&1"
