#!/bin/sh
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0

echo "coverage: build with --copt=--coverage --linkopt=--coverage, run gcovr" >&2
exit 1
