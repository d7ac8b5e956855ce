// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/program.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "import/read_file.h"
#include "report/text.h"

namespace reapsim {
namespace {

// Scripts whose interpreters are scripts, as deep as the kernel goes.
constexpr int kMaxInterpreters = 5;

absl::Status Cannot(const std::string& path, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot run ", Printable(path), " under the shim: ", why));
}

bool IsProgram(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

// Whether it gains rights when it starts: then the loader takes no library from
// its user.
bool GainsRights(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return false;
  if ((info.st_mode & S_ISUID) != 0 && info.st_uid != geteuid()) return true;
  if ((info.st_mode & S_ISGID) != 0 && info.st_gid != getegid()) return true;
  return geteuid() != 0 &&
         getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

template <class T>
bool ReadAt(absl::string_view bytes, uint64_t offset, T* out) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(out, bytes.data() + offset, sizeof(T));
  return true;
}

// The loader that the file asks for; "" if it asks for none.
std::string LoaderOf(absl::string_view bytes, const Elf64_Ehdr& header) {
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part;
    if (!ReadAt(bytes, header.e_phoff + uint64_t{header.e_phentsize} * i,
                &part)) {
      return "";
    }
    if (part.p_type != PT_INTERP || part.p_offset > bytes.size()) continue;
    const absl::string_view name = bytes.substr(part.p_offset, part.p_filesz);
    return std::string(name.substr(0, name.find('\0')));
  }
  return "";
}

absl::Status CheckElf(const std::string& path, absl::string_view bytes) {
  Elf64_Ehdr header;
  if (!ReadAt(bytes, 0, &header)) return Cannot(path, "it is cut short");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
    return Cannot(path, "it is no x86-64 program");
  }
  const std::string loader = LoaderOf(bytes, header);
  if (loader.empty()) {
    return Cannot(path,
                  "it is linked statically, so that its calls can't be "
                  "intercepted");
  }
  if (!absl::StrContains(loader, "ld-linux-x86-64")) {
    return Cannot(path, absl::StrCat("its loader ", Printable(loader),
                                     " is not glibc's"));
  }
  if (GainsRights(path)) {
    return Cannot(path,
                  "it gains rights when it starts (setuid, setgid or "
                  "capabilities), and then takes no library from its user");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FindProgram(const std::string& word) {
  if (absl::StrContains(word, '/')) {
    if (IsProgram(word)) return word;
    return absl::NotFoundError(absl::StrCat("no program ", Printable(word)));
  }
  const char* path = std::getenv("PATH");
  for (const absl::string_view directory :
       absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    const std::string file =
        absl::StrCat(directory.empty() ? "." : directory, "/", word);
    if (IsProgram(file)) return file;
  }
  return absl::NotFoundError(
      absl::StrCat("no program ", Printable(word), " in PATH"));
}

absl::Status CheckProgram(const std::string& path) {
  std::string file = path;
  for (int i = 0; i < kMaxInterpreters; ++i) {
    const absl::StatusOr<std::string> bytes = ReadFile(file);
    if (!bytes.ok()) return Cannot(file, bytes.status().message());
    if (absl::StartsWith(*bytes, ELFMAG)) return CheckElf(file, *bytes);
    absl::string_view line = *bytes;
    if (!absl::ConsumePrefix(&line, "#!")) {
      return Cannot(file, "it is neither an ELF file nor a script");
    }
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('\n')));
    file = std::string(line.substr(0, line.find_first_of(" \t")));
  }
  return Cannot(path, "too many interpreters");
}

}  // namespace reapsim
