#!/bin/sh
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0

echo "coverage: --copt=--coverage --linkopt=--coverage, then gcovr" >&2
exit 1
