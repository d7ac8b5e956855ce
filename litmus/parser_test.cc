// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/parser.h"

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "litmus/checker.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;

constexpr char kHead[] = "REAP t\n(* Result: Never *)\n";
constexpr char kTail[] = "\nexists (0:r=0)";

std::string Repeated(absl::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) absl::StrAppend(&repeated, text);
  return repeated;
}

// ---- What is read ----------------------------------------------------------

constexpr char kWhole[] = R"(REAP exit-versus-call
(*
 * The call meets exit_mmap().
 *
 * Result: Sometimes v5.15-rc1..v5.16, v5.17-rc1 with no-recheck breaks S3
 * Result: Never
 *)
{
  machine cpus=2, pages=64;
  process lmkd, victim: uid=10, oom_score_adj=-5, image;
  thread worker: victim;
  anon heap[4]: victim, locked, touched=2;  // two pages of four
  block device;
  lmkd: fd = pidfd_open(victim, 0);
  worker: start driver_wait();
  victim: heap[0] = 7;
  lmkd: kill(victim, SIGKILL);
  run victim;
}

P0(lmkd) {
  int r0, r1;
  r0 = process_mrelease(fd, 0);
  r1 = r0 + 1 | 4;
}
P1(victim) {
  r0 = heap[1 + 1];
  heap[0x3] = -1;
  touch(&heap[1], 3);
}
locations [1:r0; rss(victim);]
~exists ((0:r0=-EINVAL \/ not 0:r1>=2) /\ state(victim)!=zombie)
)";

ReapFile Parsed(absl::string_view text) {
  absl::StatusOr<ReapFile> file = ParseReapFile(text, "f");
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? *std::move(file) : ReapFile{};
}

TEST(ParserTest, ReadsTheNameAndThePromises) {
  const ReapFile file = Parsed(kWhole);
  EXPECT_EQ(file.name, "exit-versus-call");
  ASSERT_EQ(file.promises.size(), 2u);
  const Promise& first = file.promises[0];
  EXPECT_EQ(first.frequency, Frequency::kSometimes);
  ASSERT_EQ(first.versions.size(), 2u);
  EXPECT_EQ(first.versions[0].first, "v5.15-rc1");
  EXPECT_EQ(first.versions[0].last, "v5.16");
  EXPECT_EQ(first.versions[1].first, "v5.17-rc1");
  EXPECT_EQ(first.versions[1].last, "v5.17-rc1");
  EXPECT_THAT(first.switches, ElementsAre("no-recheck"));
  EXPECT_EQ(first.breaks, "S3");
  EXPECT_EQ(first.place, (Place{5, 4}));
  EXPECT_EQ(file.promises[1].frequency, Frequency::kNever);
  EXPECT_TRUE(file.promises[1].versions.empty());
}

TEST(ParserTest, ReadsTheInitialState) {
  const ReapFile file = Parsed(kWhole);
  ASSERT_EQ(file.declarations.size(), 10u);
  using Kind = Declaration::Kind;
  const Declaration& processes = file.declarations[1];
  EXPECT_EQ(processes.kind, Kind::kTask);
  ASSERT_EQ(processes.names.size(), 2u);
  EXPECT_EQ(processes.names[1].name, "victim");
  ASSERT_EQ(processes.options.size(), 3u);
  EXPECT_EQ(processes.options[1].number, -5);
  EXPECT_EQ(processes.options[2].number, std::nullopt);
  const Declaration& heap = file.declarations[3];
  EXPECT_EQ(heap.kind, Kind::kArea);
  EXPECT_EQ(heap.word, "anon");
  EXPECT_EQ(heap.pages, 4);
  EXPECT_EQ(heap.owner, "victim");
  EXPECT_TRUE(file.declarations[6].start);
  EXPECT_EQ(file.declarations[7].statement.kind, Statement::Kind::kStore);
  EXPECT_EQ(file.declarations[9].kind, Kind::kRun);
}

TEST(ParserTest, ReadsThePrograms) {
  const ReapFile file = Parsed(kWhole);
  ASSERT_EQ(file.programs.size(), 2u);
  const std::vector<Statement>& first = file.programs[0].statements;
  ASSERT_EQ(first.size(), 3u);
  EXPECT_THAT(first[0].declared, ElementsAre("r0", "r1"));
  EXPECT_EQ(first[1].target, "r0");
  EXPECT_EQ(first[1].call, "process_mrelease");
  // From left to right, without precedence.
  EXPECT_EQ(first[2].operands[0].kind, Expr::Kind::kOr);
  const std::vector<Statement>& second = file.programs[1].statements;
  EXPECT_EQ(second[0].kind, Statement::Kind::kLoad);
  EXPECT_EQ(second[1].kind, Statement::Kind::kStore);
  EXPECT_EQ(second[2].arguments[0].kind, Expr::Kind::kAddress);
}

TEST(ParserTest, WritesTheConditionAsHerdDoes) {
  const ReapFile file = Parsed(kWhole);
  EXPECT_EQ(file.condition.ToString(),
            "~exists ((0:r0=-EINVAL \\/ not 0:r1>=2) /\\ "
            "state(victim)!=zombie)");
  ASSERT_EQ(file.locations.size(), 2u);
  EXPECT_EQ(file.locations[1].ToString(), "rss(victim)");
}

TEST(ParserTest, TakesWindowsLineEnds) {
  EXPECT_EQ(Parsed("REAP a\r\n(* Result: Never *)\r\n{ process p; }\r\n"
                   "P0(p) { }\r\nexists (state(p)=gone)\r\n")
                .name,
            "a");
}

TEST(ParserTest, TakesFortyOperandsAtAnyDepth) {
  const std::string sum = absl::StrCat("(0", Repeated(" + 0", 39), ")");
  EXPECT_EQ(
      Parsed(absl::StrCat(kHead, "{ process p; }\nP0(p) { r = 0",
                          Repeated(absl::StrCat(" + ", sum), 39), "; }", kTail))
          .name,
      "t");
}

// ---- What is refused -------------------------------------------------------

struct ErrorCase {
  const char* test;
  std::string text;
  const char* error;
};

void PrintTo(const ErrorCase& each, std::ostream* out) { *out << each.test; }

// Initial state on line 3; a program that needs nothing on line 4.
ErrorCase InState(const char* test, absl::string_view state,
                  const char* error) {
  return {test,
          absl::StrCat(kHead, "{", state, "}\nP0(p) { r = getpid(); }", kTail),
          error};
}
// A statement on line 4, from column 9 on; heap, and a descriptor of q's.
ErrorCase InProgram(const char* test, absl::string_view statement,
                    const char* error) {
  return {test,
          absl::StrCat(kHead,
                       "{ process p, q; anon heap[2]: p; anon far[1]: q; "
                       "q: fd = pidfd_open(p, 0); }\nP0(p) { ",
                       statement, " }", kTail),
          error};
}
// A condition on line 5.
ErrorCase InCondition(const char* test, absl::string_view condition,
                      const char* error) {
  return {test,
          absl::StrCat(kHead,
                       "{ process p; anon heap[2]: p; }\n"
                       "P0(p) { r = getpid(); }\n",
                       condition),
          error};
}
ErrorCase InPromise(const char* test, absl::string_view promise,
                    const char* error) {
  return {test,
          absl::StrCat("REAP t\n(* Result: ", promise,
                       " *)\n{ process p; }\nP0(p) { r = getpid(); }", kTail),
          error};
}

std::vector<ErrorCase> ErrorCases() {
  return {
      // Words.
      {"Empty", "",
       "1:1: the file does not begin with its name; expected a first line such "
       "as REAP exit-versus-call"},
      {"OtherLanguage", "C test\n",
       "1:1: the file does not begin with its name; expected a first line such "
       "as REAP exit-versus-call"},
      {"NameOfTwoWords", "REAP two words\n",
       "1:6: this is no name of a scenario; expected letters, digits and any "
       "of - + . _, and then a new line"},
      {"OpenComment", "REAP t\n  (* Result: Never\n",
       "2:3: this comment has no end; expected *)"},
      {"OpenCComment", "REAP t\n/* x *)",
       "2:1: this comment has no end; "
       "expected */"},
      {"BadNumber", "REAP t\n 12ab",
       "2:2: \"12ab\" is no number; expected a decimal one, or 0x and a "
       "hexadecimal one, of less than 2^63"},
      {"BigNumber", "REAP t\n0xffffffffffffffffff",
       "2:1: \"0xffffffffffffffffff\" is no number; expected a decimal one, or "
       "0x and a hexadecimal one, of less than 2^63"},
      {"BadCharacter", "REAP t\n{ $",
       "2:3: the character \"$\" means nothing here; expected a name, a "
       "number, or one of { } ( ) [ ] , ; : = < > ~ - + | & /\\ \\/"},
      {"LetterOfAnotherAlphabet", "REAP t\n{ \xc3\xa9",
       "2:3: the character U+00E9 means nothing here; expected a name, a "
       "number, or one of { } ( ) [ ] , ; : = < > ~ - + | & /\\ \\/"},
      {"NoText", "REAP t\n{ \xc3(",
       "2:3: the byte 0xc3 means nothing here; expected a name, a number, or "
       "one of { } ( ) [ ] , ; : = < > ~ - + | & /\\ \\/"},
      {"CutCharacter", "REAP t\n{ \xf0\x9f\x98",
       "2:3: the byte 0xf0 means nothing here; expected a name, a number, or "
       "one of { } ( ) [ ] , ; : = < > ~ - + | & /\\ \\/"},
      {"ByteOrderMark", absl::StrCat("\xef\xbb\xbf", kHead),
       "1:1: the file begins with a byte order mark; expected a file without "
       "one, which begins with REAP"},
      // Promises.
      {"NoPromise", "REAP t\n{ }\n",
       "2:1: the file promises no result; expected a comment (* Result: Never "
       "*), or Sometimes, or Always, before this"},
      {"MisspeltPromise", "REAP t\n(* Of two.\n * Resutl: Never\n *)\n{ }\n",
       "3:4: \"Resutl:\" begins no promise; expected Result:"},
      {"PromiseInSmallLetters", "REAP t\n(* result: Never *)\n{ }\n",
       "2:4: \"result:\" begins no promise; expected Result:"},
      {"PromiseWithoutColon", "REAP t\n(* Result Never *)\n{ }\n",
       "2:4: \"Result\" begins no promise; expected Result:"},
      // Although there is another one.
      InPromise("SecondPromiseMisspelt", "Never v6.18\n * Results: Always",
                "3:4: \"Results:\" begins no promise; expected Result:"),
      InPromise("NoFrequency", "v6.18",
                "2:12: \"v6.18\": the result says nothing; expected Never, "
                "Sometimes or Always"),
      {"EmptyPromise", "REAP t\n(*\n * Result:\n *)\n",
       "3:11: the result says nothing; expected Never, Sometimes or Always"},
      InPromise("BadVersion", "Never v6.18 6.x",
                "2:24: \"6.x\": no such kernel version; expected one such as "
                "v6.18, or some such as v5.17..v6.0 or v6.1.., up to v7.3"),
      InPromise("VersionOfTheFuture", "Never v9.99",
                "2:18: \"v9.99\": no such kernel version; expected one such as "
                "v6.18, or some such as v5.17..v6.0 or v6.1.., up to v7.3"),
      InPromise("VersionsBackwards", "Never v6.18..v5.15",
                "2:18: \"v6.18..v5.15\": these versions end before they begin; "
                "expected the older one first"),
      InPromise("NoSwitch", "Never with breaks S1",
                "2:23: \"breaks\": no switch after with; expected the name of "
                "a model switch"),
      InPromise("UnknownSwitch", "Never v6.18 with no-rechek",
                "2:29: there is no switch \"no-rechek\"; expected "
                "no-recheck"),
      InPromise("NoSuchSwitch", "Never v6.18 with no-recheck, sevenfold",
                "2:41: there is no switch \"sevenfold\"; expected one that "
                "base/switches.h names"),
      InPromise("NoInvariant", "Sometimes breaks X4",
                "2:29: \"X4\": this is no number of an invariant; expected S1 "
                "to S30 or L1 to L9, as docs/invariants.md has them"),
      InPromise("InvariantAfterTheLast", "Sometimes breaks S31",
                "2:29: \"S31\": this is no number of an invariant; expected S1 "
                "to S30 or L1 to L9, as docs/invariants.md has them"),
      InPromise("InvariantZero", "Sometimes breaks L0",
                "2:29: \"L0\": this is no number of an invariant; expected S1 "
                "to S30 or L1 to L9, as docs/invariants.md has them"),
      InPromise("BreaksUnasked", "Sometimes breaks S3",
                "2:29: the condition does not ask whether S3 breaks; expected "
                "one such as exists (verdict=S3)"),
      InPromise("TooLate", "Sometimes breaks S1 v6.18",
                "2:32: \"v6.18\": this comes too late in the line; expected "
                "versions, then with and switches, then breaks and the number "
                "of an invariant"),
      // The initial state: syntax.
      {"NoState", absl::StrCat(kHead, "P0(p) { }"),
       "3:1: here stands \"P0\"; expected { and the initial state"},
      {"OpenState", absl::StrCat(kHead, "{ process p;"),
       "3:13: here stands the end of the file; expected a declaration such as "
       "process victim; or } after the initial state"},
      InState("SymbolInState", "=;",
              "3:2: here stands \"=\"; expected a declaration such as process "
              "victim; or } after the initial state"),
      InState("UnknownDeclaration", "proces p;",
              "3:2: \"proces\" begins no declaration; expected machine, "
              "process, thread, sharer, borrower, anon, file, memfd, "
              "secretmem, hugetlb, device, block, run, or a task's name, : and "
              "what it does; or } after the initial state"),
      {"StateIsNotClosed",
       absl::StrCat(kHead, "{ process p;\nP0(p) { r = getpid(); }", kTail),
       "4:1: here stands \"P0\"; expected } after the initial state"},
      {"ConditionInState", absl::StrCat(kHead, "{ process p;\nexists (0:r=0)"),
       "4:1: here stands \"exists\"; expected } after the initial state"},
      InState("NoSuchCpu", "process p: cpu=2;",
              "3:17: the machine has only 2 CPUs; expected a number from 0 to "
              "1, or machine cpus=3; as the first declaration"),
      InState("NoSuchCpuOfOne", "machine cpus=1; process p: cpu=1;",
              "3:33: the machine has only 1 CPU; expected a number from 0 to "
              "0, or machine cpus=2; as the first declaration"),
      InState("NoTaskName", "process ;",
              "3:10: here stands \";\"; expected a name for the process"),
      InState("ReservedName", "process file;",
              "3:10: \"file\" is a word of the language; expected another "
              "name"),
      InState("NoSemicolon", "process p",
              "3:11: here stands \"}\"; expected ; after the declaration"),
      InState("ThreadOfNobody", "process p; thread t;",
              "3:21: here stands \";\"; expected : and whose thread it is"),
      InState("AreaWithoutSize", "process p; anon heap: p;",
              "3:22: here stands \":\"; expected [ and the number of pages"),
      InState("AreaOfUnknownSize", "process p; anon heap[n]: p;",
              "3:23: here stands \"n\"; expected the number of pages"),
      InState("EmptyArea", "process p; anon heap[0]: p;",
              "3:23: so many pages can't be mapped; expected 1 to 1048576 "
              "pages"),
      InState("OpenSize", "process p; anon heap[1: p;",
              "3:24: here stands \":\"; expected ] after the number of pages"),
      InState("AreaOfNobody", "process p; anon heap[1];",
              "3:25: here stands \";\"; expected : and whose memory it is"),
      InState("BlockWhat", "block victim;",
              "3:8: here stands \"victim\"; expected device or dumps: what is "
              "not answered"),
      InState("RunWhom", "run 7;",
              "3:6: here stands \"7\"; expected the task that runs as far as "
              "it gets"),
      InState("OptionWithoutName", "machine 2;",
              "3:10: here stands \"2\"; expected an option"),
      InState("OptionWithoutValue", "machine cpus=;",
              "3:15: here stands \";\"; expected a number or a name"),
      // The initial state: meaning.
      InState("UnknownOption", "machine cpu=2;",
              "3:10: machine has no option \"cpu\"; expected cpus, pages, "
              "swap, entries, pids"),
      InState("OptionOutOfRange", "machine cpus=9;",
              "3:15: cpus needs another value; expected a number from 1 to 8"),
      InState("OptionWithoutNumber", "process p: uid;",
              "3:13: uid needs another value; expected a number from 0 to "
              "65535"),
      InState("OptionWithValue", "process p: image=2;",
              "3:19: image takes no value; expected image alone"),
      InState("OddTable", "machine entries=12;",
              "3:18: a page table has no such size; expected a power of two "
              "from 4 to 512"),
      InState("TooFewPids", "machine pids=5; process p;",
              "3:15: the file's tasks need more numbers; expected a number "
              "from 6 to 32768"),
      InState("LateMachine", "process p; machine cpus=2;",
              "3:13: the machine is there already; expected machine as the "
              "first declaration"),
      InState("TwiceDeclared", "process p, p;",
              "3:13: \"p\" is there already; expected another name"),
      InState("ConstantDeclared", "process SIGKILL;",
              "3:10: \"SIGKILL\" is a constant; expected another name"),
      InState("UnknownParent", "process p: parent=shel;",
              "3:20: there is no task \"shel\"; expected one that is declared, "
              "as by process shel;"),
      InState("UnknownOwner", "process victim; thread t: vicitm;",
              "3:28: there is no task \"vicitm\"; expected victim"),
      InState("ThreadOfInit", "thread t: init;",
              "3:12: \"init\" can't have that; expected a process of the "
              "file's"),
      InState("AreaOfNoFile", "process p; memfd m[1]: p, of=n;",
              "3:31: of needs other memory; expected a memfd or file that is "
              "declared before"),
      InState("RunNobody", "run victim;",
              "3:6: there is no task \"victim\"; expected one that is "
              "declared, as by process victim;"),
      InState("RegisterInState", "process p; p: int r;",
              "3:16: the initial state has no registers; expected a call, or a "
              "name and what it stands for"),
      InState("ResultOfStart", "process p; p: start r = driver_wait();",
              "3:22: what is only begun has no result yet; expected the call "
              "alone"),
      // Programs: syntax.
      {"NoProgram", absl::StrCat(kHead, "{ }\nexists (0:r=0)"),
       "4:1: here stands \"exists\"; expected a program such as P0(lmkd) { "
       "... }"},
      {"ProgramWithoutTask", absl::StrCat(kHead, "{ }\nP0 { }"),
       "4:4: here stands \"{\"; expected ( and the task that runs it"},
      {"ProgramOfNobody", absl::StrCat(kHead, "{ }\nP0() { }"),
       "4:4: here stands \")\"; expected the name of the task that runs it"},
      {"OpenTask", absl::StrCat(kHead, "{ }\nP0(p { }"),
       "4:6: here stands \"{\"; expected ) after the task"},
      {"ProgramWithoutBody", absl::StrCat(kHead, "{ }\nP0(p) exists"),
       "4:7: here stands \"exists\"; expected { and the task's program"},
      InProgram("NoStatement", "7;",
                "4:9: here stands \"7\"; expected a statement, or } after the "
                "program"),
      InProgram("If", "if (r) { }",
                "4:9: programs have no branches; expected one statement after "
                "the other"),
      InProgram("HalfStatement", "r;",
                "4:10: here stands \";\"; expected a statement such as r0 = "
                "call(...); heap[0] = 7; or r1 = heap[0];"),
      InProgram("NoEndOfStatement", "getpid() r = 1;",
                "4:18: here stands \"r\"; expected ; after the statement"),
      InProgram("OpenArguments", "kill(p, 9;",
                "4:18: here stands \";\"; expected ) after the arguments, or , "
                "between them"),
      InProgram("NoArgument", "kill(, 9);",
                "4:14: here stands \",\"; expected a number or a name"),
      InProgram("StoreNothing", "heap[0];",
                "4:16: here stands \";\"; expected = and the word to store"),
      InProgram("OpenIndex", "heap[0 = 1;",
                "4:16: here stands \"=\"; expected ] after the number of a "
                "page"),
      InProgram("AddressOfNumber", "touch(&7, 1);",
                "4:16: here stands \"7\"; expected the name of memory"),
      InProgram("AddressWithoutPage", "touch(&heap, 1);",
                "4:20: here stands \",\"; expected [ and the number of a "
                "page"),
      InProgram("ReadInside", "r = heap[0] + 1;",
                "4:13: heap[...] would be read in the middle of a statement; "
                "expected a statement of its own, r0 = heap[...]; or the "
                "address, &heap[...]"),
      InProgram("ReadAsArgument", "kill(p, heap[0]);",
                "4:17: heap[...] would be read in the middle of a statement; "
                "expected a statement of its own, r0 = heap[...]; or the "
                "address, &heap[...]"),
      InProgram("TooDeep", absl::StrCat("r = ", std::string(60, '('), "1"),
                "4:54: this is nested too deep; expected at most 40 levels"),
      InProgram("TooLong", absl::StrCat("r = 0", Repeated(" + 0", 40), ";"),
                "4:171: this joins too much; expected at most 40 operands"),
      {"ProgramIsNotClosed",
       absl::StrCat(
           kHead, "{ process p, q; }\nP0(p) { r = getpid();\nP1(q) { }", kTail),
       "5:1: here stands \"P1\"; expected } after the program"},
      InProgram("ConditionInProgram", "exists (0:r=0)",
                "4:9: here stands \"exists\"; expected } after the program"),
      InProgram("OpenParenthesis", "r = (1;",
                "4:15: here stands \";\"; expected ) after the expression"),
      // Programs: meaning.
      {"UnknownTask",
       absl::StrCat(kHead, "{ process lmkd; }\nP0(lmk) { }\nexists (0:r=0)"),
       "4:4: there is no task \"lmk\"; expected lmkd"},
      {"TwoProgramsOfOneTask",
       absl::StrCat(kHead,
                    "{ process p; }\nP0(p) { }\nP1(p) { }\n"
                    "exists (0:r=0)"),
       "5:4: \"p\" is busy already; expected a task that has begun nothing and "
       "runs no other program"},
      {"ProgramsOutOfOrder",
       absl::StrCat(kHead, "{ process p; }\nP1(p) { }\nexists (0:r=0)"),
       "4:1: P1 is out of order; expected P0"},
      InProgram("UnknownCall", "proces_mrelease(1, 0);",
                "4:9: there is no call \"proces_mrelease\"; expected "
                "process_mrelease"),
      InProgram("TooFewArguments", "kill(p);",
                "4:9: kill is given 1 argument; expected kill(process, sig)"),
      InProgram("UnknownName", "kill(p, SIGKIL);",
                "4:17: there is no \"SIGKIL\" yet; expected SIGKILL or "
                "SIGILL"),
      InProgram("BareErrno", "r = ESRCH;",
                "4:13: \"ESRCH\" is an errno; expected -ESRCH"),
      InProgram("TaskAsDescriptor", "process_mrelease(q, 0);",
                "4:26: here stands a task; expected a descriptor as pidfd of "
                "process_mrelease(pidfd, flags)"),
      InProgram("OthersDescriptor", "process_mrelease(fd, 0);",
                "4:26: this descriptor is one of q's; expected one of p's own; "
                "send_fd(fd, to) passes one on"),
      InProgram("OthersMemory", "touch(far, 1);",
                "4:15: this is memory of q's; expected an address in that of "
                "p"),
      InProgram("OthersWord", "r = far[0];",
                "4:13: this is memory of q's; expected memory of p's; peek() "
                "and poke() reach into others'"),
      InProgram("PageOutside", "heap[2] = 1;",
                "4:14: heap has only 2 pages; expected a page from 0 to 1"),
      InProgram("IndexedTask", "q[0] = 1;",
                "4:9: \"q\" is a task; expected the name of memory before ["),
      InProgram("IndexedByTask", "heap[q] = 1;",
                "4:14: here stands a task; expected the number of a page"),
      InProgram("SumOfAddresses", "r = 1 + heap;",
                "4:17: here stands an address; expected a number"),
      InProgram("AssignedConstant", "heap = getpid();",
                "4:9: \"heap\" can't be assigned to; expected a register, such "
                "as r0"),
      // Conditions.
      InCondition("NoCondition", "",
                  "5:1: here stands the end of the file; expected another "
                  "program, locations, or exists, ~exists or forall and the "
                  "condition in parentheses"),
      InCondition("OnlyTilde", "~forall (0:r=0)",
                  "5:2: here stands \"forall\"; expected exists after ~"),
      InCondition("NoParenthesis", "exists 0:r=0",
                  "5:8: here stands \"0\"; expected ( and the condition"),
      InCondition("OpenCondition", "exists (0:r=0",
                  "5:14: here stands the end of the file; expected ) after the "
                  "condition, or /\\ or \\/"),
      InCondition("TextAfter", "exists (0:r=0) exists",
                  "5:16: here stands \"exists\"; expected nothing after the "
                  "condition"),
      InCondition("NoTerm", "exists (=0)",
                  "5:9: here stands \"=\"; expected a register such as 0:r0, "
                  "something such as rss(victim), or verdict"),
      InCondition("BareTerm", "exists (rss=0)",
                  "5:9: \"rss\" alone says nothing; expected a register such "
                  "as 0:r0, something such as rss(victim), or verdict"),
      InCondition("RegisterOfTask", "exists (p:r=0)",
                  "5:9: \"p\" is no program; expected its number, as in 0:r0 "
                  "or P0:r0"),
      InCondition("NoComparison", "exists (0:r)",
                  "5:12: here stands \")\"; expected =, !=, <, <=, > or >= and "
                  "a value"),
      InCondition("NoValue", "exists (0:r=)",
                  "5:13: here stands \")\"; expected a number, an errno such "
                  "as -ESRCH, or a word"),
      InCondition("DeepCondition",
                  absl::StrCat("exists (", std::string(60, '~'), "0:r=0)"),
                  "5:50: this is nested too deep; expected at most 40 levels"),
      InCondition("OpenTerm", "exists (rss(p=0)",
                  "5:14: here stands \"=\"; expected ) after p"),
      InCondition("UnknownProgram", "exists (1:r=0)",
                  "5:9: there is no P1; expected 0 to 0"),
      InCondition("UnknownRegister", "exists (0:r0=0)",
                  "5:11: P0 assigns nothing to \"r0\"; expected r"),
      InCondition("UnknownTerm", "exists (rs(p)=0)",
                  "5:9: nobody can tell \"rs\"; expected rss"),
      InCondition("TermOfNobody", "exists (rss(q)=0)",
                  "5:13: there is no task \"q\"; expected p"),
      InCondition("AreaTermOfTask", "exists (present(p)=0)",
                  "5:17: there is no memory \"p\"; expected what a declaration "
                  "such as anon heap[4]: victim; names"),
      InCondition("NoErrno", "exists (0:r=-EFOO)",
                  "5:13: \"-EFOO\" is no errno; expected one such as -ESRCH"),
      InCondition("PositiveErrno", "exists (0:r=ESRCH)",
                  "5:13: \"ESRCH\" is not what calls return; expected -ESRCH"),
      InCondition("WordOfRegister", "exists (0:r=zombie)",
                  "5:13: a register never is \"zombie\"; expected a number, an "
                  "errno such as -ESRCH, or never"),
      InCondition("NumberOfState", "exists (state(p)=0)",
                  "5:18: state(p) never is that; expected = or != and one of "
                  "alive, zombie, gone"),
      InCondition("WordOfNumber", "exists (rss(p)=none)",
                  "5:16: rss(p) never is that; expected a number"),
      InCondition("OrderedVerdict", "exists (verdict<S3)",
                  "5:17: verdict never is that; expected = or != and one of "
                  "none, invariant_broken, data_race, use_after_free, "
                  "double_free, deadlock, lock_order_inversion, livelock, "
                  "leak, wrong_result, or the number of an invariant such as "
                  "S3"),
      InCondition("InvariantThatIsNone", "exists (verdict=S77)",
                  "5:17: verdict never is that; expected = or != and one of "
                  "none, invariant_broken, data_race, use_after_free, "
                  "double_free, deadlock, lock_order_inversion, livelock, "
                  "leak, wrong_result, or the number of an invariant such as "
                  "S3"),
      InCondition("NoLocations", "locations rss(p); exists (0:r=0)",
                  "5:11: here stands \"rss\"; expected [ and what to show"),
      InCondition("NoSemicolonInLocations", "locations [rss(p)] exists (0:r=0)",
                  "5:18: here stands \"]\"; expected ; after each thing to "
                  "show"),
  };
}

class ErrorTest : public ::testing::TestWithParam<ErrorCase> {};

TEST_P(ErrorTest, NamesThePlaceAndWhatWasExpected) {
  const absl::StatusOr<Scenario> scenario = ReadScenario(GetParam().text, "f");
  ASSERT_FALSE(scenario.ok()) << GetParam().text;
  EXPECT_EQ(std::string(scenario.status().message()),
            absl::StrCat("f:", GetParam().error))
      << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(, ErrorTest, ::testing::ValuesIn(ErrorCases()),
                         [](const ::testing::TestParamInfo<ErrorCase>& info) {
                           return std::string(info.param.test);
                         });

}  // namespace
}  // namespace reapsim
