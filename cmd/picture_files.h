// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// --svg=FILE and --html=FILE of commands that run in virtual time.
#ifndef REAPSIM_CMD_PICTURE_FILES_H_
#define REAPSIM_CMD_PICTURE_FILES_H_

#include "absl/status/status.h"
#include "cmd/arguments.h"
#include "report/run_picture.h"

namespace reapsim {

// Whether either flag is given.
bool AsksForPictures(const Arguments& args);

// Writes the files that they name. Errors are those of FileError().
absl::Status WritePictures(const Arguments& args, const PictureSheet& sheet);

}  // namespace reapsim

#endif  // REAPSIM_CMD_PICTURE_FILES_H_
