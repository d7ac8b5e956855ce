// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/picture_files.h"

#include "cmd/output_file.h"

namespace reapsim {

bool AsksForPictures(const Arguments& args) {
  return args.Has("svg") || args.Has("html");
}

absl::Status WritePictures(const Arguments& args, const PictureSheet& sheet) {
  absl::Status status;
  if (const auto path = args.Value("svg"); path.has_value()) {
    status.Update(WriteFile(*path, SheetSvg(sheet)));
  }
  if (const auto path = args.Value("html"); path.has_value()) {
    status.Update(WriteFile(*path, SheetHtml(sheet)));
  }
  return status;
}

}  // namespace reapsim
