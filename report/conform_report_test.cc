// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/conform_report.h"

#include "gtest/gtest.h"

namespace reapsim {
namespace {

ConformReport Example() {
  using Agree = ConformLine::Agree;
  ConformReport report;
  report.host_kernel = "6.18.44";
  report.kernel_note = "v6.18 is used";
  report.lines = {
      {.state = "live.running",
       .title = "a live process",
       .host = "EINVAL",
       .model = "EINVAL"},
      {.state = "kind.thp",
       .title = "huge pages",
       .host = "0",
       .model = "0",
       .agree = Agree::kNo,
       .differs = {"VmPTE changes by -4 KiB, in the model by 0 KiB"}},
      {.state = "kind.secret",
       .title = "memfd_secret(2)",
       .agree = Agree::kSkipped,
       .skipped = "system call 447: ENOSYS"},
  };
  return report;
}

TEST(ConformReportTest, TellsPeople) {
  EXPECT_EQ(ConformText(Example()),
            "process_mrelease() on this host, Linux 6.18.44, and in the model, "
            "kernel v6.18\n"
            "is used.\n"
            "\n"
            "state         host    model   agree\n"
            "live.running  EINVAL  EINVAL  yes\n"
            "kind.thp      0       0       NO\n"
            "kind.secret   -       -       skipped\n"
            "\n"
            "kind.thp (huge pages)\n"
            "  VmPTE changes by -4 KiB, in the model by 0 KiB\n"
            "\n"
            "kind.secret (memfd_secret(2))\n"
            "  skipped: system call 447: ENOSYS\n"
            "\n"
            "3 rows: 1 agree, 1 disagree, 1 skipped.\n");
}

constexpr char kJson[] = R"json({
  "host_kernel": "6.18.44",
  "model_kernel": "v6.18 is used",
  "skipped": null,
  "rows": [
    {
      "state": "live.running",
      "title": "a live process",
      "host": "EINVAL",
      "model": "EINVAL",
      "agree": true,
      "differs": [],
      "skipped": null
    },
    {
      "state": "kind.thp",
      "title": "huge pages",
      "host": "0",
      "model": "0",
      "agree": false,
      "differs": [
        "VmPTE changes by -4 KiB, in the model by 0 KiB"
      ],
      "skipped": null
    },
    {
      "state": "kind.secret",
      "title": "memfd_secret(2)",
      "host": null,
      "model": null,
      "agree": null,
      "differs": [],
      "skipped": "system call 447: ENOSYS"
    }
  ],
  "agreeing": 1,
  "disagreeing": 1,
  "skipped_rows": 1
}
)json";

TEST(ConformReportTest, TellsPrograms) {
  EXPECT_EQ(ConformJson(Example()), kJson);
}

TEST(ConformReportTest, SaysWhyAHostCantPlay) {
  ConformReport report;
  report.host_kernel = "5.10.0";
  report.kernel_note = "v6.18";
  report.skipped = "this kernel has no process_mrelease()";
  EXPECT_EQ(ConformText(report),
            "process_mrelease() on this host, Linux 5.10.0, and in the model, "
            "kernel v6.18.\n"
            "\n"
            "skipped: this kernel has no process_mrelease()\n");
}

}  // namespace
}  // namespace reapsim
