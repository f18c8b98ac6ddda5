#!/bin/sh
# Scans a model and tells what came of it; ends with the scan's exit code.
privaudit scan model --members data/trained-on --nonmembers data/held-back \
    --fail-on 'tpr@1%fpr>0.05' --format html,md,junit --out privaudit-run --quiet
code=$?
case $code in
    0) echo "within the gate" ;;
    1) echo "leaks more than allowed: see privaudit-run/report.html" ;;
    3) echo "these images cannot tell: see privaudit-run/report.md" ;;
    *) echo "the scan did not run" ;;
esac
exit $code
