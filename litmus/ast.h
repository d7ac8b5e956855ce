// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A .reap file as it is written: the parser's result. What names mean, and
// whether they exist, is the checker's (litmus/checker.h).
#ifndef REAPSIM_LITMUS_AST_H_
#define REAPSIM_LITMUS_AST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "litmus/source.h"

namespace reapsim {

// ---- What is computed and done ---------------------------------------------

struct Expr {
  enum class Kind : uint8_t {
    kNumber,   // 7
    kName,     // fd, SIGKILL, r0
    kElement,  // heap[1]: the word of the second page; name, and parts[0]
    kAddress,  // &heap[1]: where it is; name, and parts[0]
    kNegate,   // -1, -ESRCH: parts[0]
    kAdd,      // parts[0] + parts[1]
    kOr,       // parts[0] | parts[1]
  };
  Kind kind = Kind::kNumber;
  Place place;
  std::string name;
  int64_t number = 0;
  std::vector<Expr> parts;
  std::string ToString() const;
};

// A statement of a task. One of
//   int r0, r1;             registers, which need not be declared
//   r0 = call(arguments);   a system call, or without "r0 = "
//   r0 = heap[1];           a load
//   heap[1] = 7;            a store
//   r0 = expression;
struct Statement {
  enum class Kind : uint8_t { kDeclare, kCall, kLoad, kStore, kCompute };
  Kind kind = Kind::kCall;
  Place place;
  std::string target;  // the register; empty: none
  Place target_place;
  std::vector<std::string> declared;
  std::string call;
  std::vector<Expr> arguments;
  // kLoad: the element. kStore: the element, and the word. kCompute: what.
  std::vector<Expr> operands;
  // "r0 = kill(victim, SIGKILL);"
  std::string ToString() const;
};

// ---- The initial state -----------------------------------------------------

// NAME, NAME=NUMBER or NAME=NAME behind a declaration.
struct Option {
  std::string name;
  Place place;
  std::optional<int64_t> number;
  std::string word;
  Place value_place;
};

struct Declaration {
  enum class Kind : uint8_t {
    kMachine,  // machine cpus=2, pages=64;
    kTask,     // process a, b: uid=7;  thread t: a;  (`word` says which)
    kArea,     // anon heap[4]: victim, locked;
    kBlock,    // block device;  block dumps;
    kRun,      // run victim;
    kDo,       // lmkd: fd = pidfd_open(victim, 0);
  };
  Kind kind = Kind::kMachine;
  Place place;
  std::string word;  // process, thread …; anon, file …; device, dumps
  struct Named {
    std::string name;
    Place place;
  };
  std::vector<Named> names;  // what is declared, or run
  std::string owner;         // of a thread, an area; who does it
  Place owner_place;
  int64_t pages = 0;
  std::vector<Option> options;
  bool start = false;  // kDo: only begun
  Statement statement;
};

// P0(lmkd) { … }
struct TaskProgram {
  Place place;
  int number = 0;
  std::string task;
  Place task_place;
  std::vector<Statement> statements;
};

// ---- The condition ---------------------------------------------------------

// Something that an end state has.
struct Term {
  Place place;
  std::string function;  // "rss"; empty: a register; "verdict" has no argument
  std::string argument;
  Place argument_place;
  int task = 0;  // of a register
  std::string reg;
  // As herd writes it: "0:r0", "rss(victim)".
  std::string ToString() const;
  bool operator==(const Term& other) const {
    return ToString() == other.ToString();
  }
};

struct Prop {
  enum class Kind : uint8_t { kAtom, kNot, kAnd, kOr };
  enum class Compare : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe };
  Kind kind = Kind::kAtom;
  Place place;
  std::vector<Prop> parts;
  // kAtom
  Term term;
  Compare compare = Compare::kEq;
  bool negative = false;  // the value has a minus
  std::optional<int64_t> number;
  std::string word;  // ESRCH, zombie, never …
  Place value_place;
  std::string ToString() const;
};

struct Condition {
  enum class Kind : uint8_t { kExists, kNotExists, kForall };
  Kind kind = Kind::kExists;
  Place place;
  Prop prop;
  std::string ToString() const;
};

// ---- What is promised ------------------------------------------------------

enum class Frequency : uint8_t { kNever, kSometimes, kAlways };
const char* FrequencyName(Frequency frequency);

// Result: Sometimes v5.15-rc1..v5.16 with no_recheck breaks S3
struct Promise {
  Place place;
  Frequency frequency = Frequency::kNever;
  // Each from one version to another, both included; empty text: open. None:
  // all versions.
  struct Range {
    std::string first, last;
  };
  std::vector<Range> versions;
  std::vector<std::string> switches;
  std::vector<Place> switch_places;  // of each
  std::string breaks;  // "S3"; empty: not said
  Place breaks_place;
};

struct ReapFile {
  std::string file_name;
  std::string name;
  std::vector<Promise> promises;
  std::vector<Declaration> declarations;
  std::vector<TaskProgram> programs;
  std::vector<Term> locations;
  Condition condition;
};

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_AST_H_
