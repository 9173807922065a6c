"""Section 3 and appendix I of the paper, verified numerically with the study's own estimators."""
