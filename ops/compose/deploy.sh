#!/bin/sh
# The deploy step: topics, schemas and policy, each only where it differs. Safe to run again.
set -eu
policy=/etc/atstream/policy.yaml
atstream topics apply --policy "$policy"
atstream schemas register
atstream policy apply "$policy"
