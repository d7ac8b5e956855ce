#!/bin/sh
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
#
# usage: bug_test.sh REAPSIM FILE.reap [flags]
reapsim=$1
shift
exec "$reapsim" check "$@"
