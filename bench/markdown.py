# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""What pages of figures are made of."""


def table(header, rows):
    """A Markdown table; all columns but the first are numbers."""
    lines = ["| " + " | ".join(header) + " |",
             "|---" + "|--:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
