// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Built without a loader: see shim/BUILD.

int main(void) { return 0; }
