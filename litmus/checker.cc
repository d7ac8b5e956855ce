// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/checker.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/switches.h"
#include "litmus/parser.h"
#include "litmus/promise.h"
#include "litmus/return_if_error.h"
#include "litmus/terms.h"
#include "report/nearest.h"

namespace reapsim {
namespace {

using Symbols = absl::btree_map<std::string, Symbol>;

// What a declaration's option may be.
struct OptionSpec {
  absl::string_view name;
  enum class Value : uint8_t { kNone, kNumber, kTask, kArea } value;
  int64_t least = 0;
  int64_t most = 0;
};
using OptionValue = OptionSpec::Value;

constexpr OptionSpec kMachineOptions[] = {
    {"cpus", OptionValue::kNumber, 1, 8},
    {"pages", OptionValue::kNumber, 16, 1 << 20},
    {"swap", OptionValue::kNumber, 0, 1 << 20},
    {"entries", OptionValue::kNumber, 4, 512},
    {"pids", OptionValue::kNumber, 4, 32768},
};
constexpr OptionSpec kProcessOptions[] = {
    {"uid", OptionValue::kNumber, 0, 65535},
    {"cpu", OptionValue::kNumber, 0, 7},
    {"oom_score_adj", OptionValue::kNumber, -1000, 1000},
    {"parent", OptionValue::kTask},
    {"image", OptionValue::kNone},
};
constexpr OptionSpec kAreaOptions[] = {
    {"shared", OptionValue::kNone},
    {"private", OptionValue::kNone},
    {"readonly", OptionValue::kNone},
    {"untouched", OptionValue::kNone},
    {"read", OptionValue::kNone},
    {"written", OptionValue::kNone},
    {"touched", OptionValue::kNumber, 1, kMostPages},
    {"locked", OptionValue::kNone},
    {"inode", OptionValue::kNumber, 1, 1 << 30},
    {"of", OptionValue::kArea},
};

// An unknown name's neighbours, or something more general.
std::string Nearest(absl::string_view name,
                    absl::Span<const absl::string_view> candidates,
                    absl::string_view otherwise) {
  const std::vector<std::string> names = NearestNames(name, candidates);
  return names.empty() ? std::string(otherwise) : absl::StrJoin(names, " or ");
}

bool Fits(ValueType want, ValueType is) {
  if (is == ValueType::kNumber || want == is) return true;
  return want == ValueType::kForeign && is == ValueType::kAddress;
}

// A value's type, and for whom it means something.
struct Typed {
  ValueType type = ValueType::kNumber;
  std::string files, memory;
};

class Checker {
 public:
  explicit Checker(Scenario* scenario)
      : file_(scenario->file),
        symbols_(scenario->symbols),
        scenario_(scenario) {}

  absl::Status Run() {
    symbols_["init"] = {
        .type = ValueType::kTask, .files = "init", .memory = "init"};
    for (const Promise& promise : file_.promises) {
      REAPSIM_RETURN_IF_ERROR(CheckSwitches(promise));
      REAPSIM_RETURN_IF_ERROR(CheckBreaks(promise));
    }
    for (Declaration& each : file_.declarations) {
      REAPSIM_RETURN_IF_ERROR(CheckDeclaration(each));
    }
    for (const TaskProgram& program : file_.programs) {
      REAPSIM_RETURN_IF_ERROR(CheckProgram(program));
    }
    for (const Term& term : file_.locations) {
      REAPSIM_RETURN_IF_ERROR(CheckTerm(term));
    }
    return CheckProp(file_.condition.prop);
  }

 private:
  absl::Status Error(Place place, absl::string_view what,
                     absl::string_view advice) const {
    return ErrorAt(file_.file_name, place, what, advice);
  }

  // What breaks is told by a verdict.
  absl::Status CheckBreaks(const Promise& promise) {
    if (promise.breaks.empty() || AsksForVerdict(file_.condition.prop)) {
      return absl::OkStatus();
    }
    return Error(
        promise.breaks_place,
        absl::StrCat("the condition does not ask whether ", promise.breaks,
                     " breaks"),
        absl::StrCat("one such as exists (verdict=", promise.breaks, ")"));
  }

  absl::Status CheckSwitches(const Promise& promise) const {
    for (size_t i = 0; i < promise.switches.size(); ++i) {
      const std::string& name = promise.switches[i];
      Variation variation;
      if (AddByName(name, &variation).ok()) continue;
      std::vector<absl::string_view> names;
      for (const SwitchInfo& each : AllSwitches()) names.push_back(each.name);
      for (const ProposalInfo& each : AllProposals()) {
        names.push_back(each.name);
      }
      return Error(promise.switch_places[i],
                   absl::StrCat("there is no switch ", Quoted(name)),
                   Nearest(name, names, "one that base/switches.h names"));
    }
    return absl::OkStatus();
  }

  // ---- Names

  std::vector<absl::string_view> NamesOf(ValueType type) const {
    std::vector<absl::string_view> names;
    for (const auto& [name, symbol] : symbols_) {
      if (symbol.type == type) names.push_back(name);
    }
    return names;
  }

  absl::Status Declare(const std::string& name, Place place, Symbol symbol) {
    if (FindConstant(name).has_value() || FindErrno(name).has_value()) {
      return Error(place, Quoted(name) + " is a constant", "another name");
    }
    if (!symbols_.try_emplace(name, std::move(symbol)).second) {
      return Error(place, Quoted(name) + " is there already", "another name");
    }
    return absl::OkStatus();
  }

  // Null, and *status: there is no such task.
  const Symbol* FindTask(const std::string& name, Place place,
                         absl::Status* status) const {
    const auto found = symbols_.find(name);
    if (found != symbols_.end() && found->second.type == ValueType::kTask) {
      return &found->second;
    }
    *status = Error(place, absl::StrCat("there is no task ", Quoted(name)),
                    Nearest(name, NamesOf(ValueType::kTask),
                            absl::StrCat("one that is declared, as by process ",
                                         name, ";")));
    return nullptr;
  }

  // ---- The initial state

  absl::Status CheckDeclaration(Declaration& each) {
    switch (each.kind) {
      case Declaration::Kind::kMachine:
        return CheckMachine(each);
      case Declaration::Kind::kTask:
        return each.word == "process" ? CheckProcess(each)
                                      : CheckFurtherTask(each);
      case Declaration::Kind::kArea:
        return CheckArea(each);
      case Declaration::Kind::kBlock:
        return absl::OkStatus();
      case Declaration::Kind::kRun: {
        absl::Status status;
        (void)FindTask(each.names[0].name, each.names[0].place, &status);
        return status;
      }
      case Declaration::Kind::kDo:
        return CheckDo(each);
    }
    return absl::OkStatus();
  }

  absl::Status CheckMachine(const Declaration& each) {
    if (&each != &file_.declarations.front()) {
      return Error(each.place, "the machine is there already",
                   "machine as the first declaration");
    }
    REAPSIM_RETURN_IF_ERROR(
        CheckOptions("machine", each.options, kMachineOptions));
    for (const Option& option : each.options) {
      if (option.name == "entries" &&
          !std::has_single_bit(static_cast<uint64_t>(*option.number))) {
        return Error(option.value_place, "a page table has no such size",
                     "a power of two from 4 to 512");
      }
      if (option.name == "pids" && *option.number < LeastPids()) {
        return Error(option.value_place, "the file's tasks need more numbers",
                     absl::StrCat("a number from ", LeastPids(), " to 32768"));
      }
    }
    return absl::OkStatus();
  }

  // A number for each task, init and three kernel threads; and none is 0.
  int64_t LeastPids() const {
    int64_t tasks = 4;
    for (const Declaration& each : file_.declarations) {
      if (each.kind != Declaration::Kind::kTask) continue;
      tasks += static_cast<int64_t>(each.names.size());
    }
    return tasks + 1;
  }

  absl::Status CheckProcess(const Declaration& each) {
    REAPSIM_RETURN_IF_ERROR(
        CheckOptions("process", each.options, kProcessOptions));
    REAPSIM_RETURN_IF_ERROR(CheckCpu(each.options));
    for (const auto& [name, place] : each.names) {
      REAPSIM_RETURN_IF_ERROR(
          Declare(name, place,
                  {.type = ValueType::kTask, .files = name, .memory = name}));
    }
    return absl::OkStatus();
  }

  absl::Status CheckCpu(const std::vector<Option>& options) const {
    int64_t cpus = kDefaultCpus;
    const Declaration& first = file_.declarations.front();
    if (first.kind == Declaration::Kind::kMachine) {
      for (const Option& each : first.options) {
        if (each.name == "cpus") cpus = *each.number;
      }
    }
    for (const Option& each : options) {
      if (each.name != "cpu" || *each.number < cpus) continue;
      return Error(each.value_place,
                   absl::StrCat("the machine has only ", cpus,
                                cpus == 1 ? " CPU" : " CPUs"),
                   absl::StrCat("a number from 0 to ", cpus - 1,
                                ", or machine cpus=", *each.number + 1,
                                "; as the first declaration"));
    }
    return absl::OkStatus();
  }

  absl::Status CheckFurtherTask(const Declaration& each) {
    absl::Status status;
    const Symbol* owner = FindTask(each.owner, each.owner_place, &status);
    if (owner == nullptr) return status;
    // A sharer of init's memory is what the OOM killer must not reap.
    const bool of_init = each.owner == "init" && each.word != "sharer";
    if (owner->borrower || of_init) {
      return Error(each.owner_place,
                   absl::StrCat(Quoted(each.owner), " can't have that"),
                   "a process of the file's");
    }
    const std::string memory = owner->memory;
    const std::string files = owner->files;
    for (const auto& [name, place] : each.names) {
      Symbol symbol{.type = ValueType::kTask, .files = name, .memory = memory};
      if (each.word == "thread") symbol.files = files;
      symbol.borrower = each.word == "borrower";
      REAPSIM_RETURN_IF_ERROR(Declare(name, place, std::move(symbol)));
    }
    return absl::OkStatus();
  }

  absl::Status CheckArea(const Declaration& each) {
    absl::Status status;
    const Symbol* owner = FindTask(each.owner, each.owner_place, &status);
    if (owner == nullptr) return status;
    REAPSIM_RETURN_IF_ERROR(
        CheckOptions(each.word, each.options, kAreaOptions));
    const std::string memory = owner->memory;
    return Declare(
        each.names[0].name, each.names[0].place,
        {.type = ValueType::kAddress, .memory = memory, .pages = each.pages});
  }

  absl::Status CheckOptions(absl::string_view what,
                            const std::vector<Option>& options,
                            absl::Span<const OptionSpec> specs) {
    for (const Option& option : options) {
      const auto spec = std::find_if(
          specs.begin(), specs.end(),
          [&](const OptionSpec& each) { return each.name == option.name; });
      if (spec == specs.end()) {
        std::vector<absl::string_view> names;
        for (const OptionSpec& each : specs) names.push_back(each.name);
        return Error(option.place,
                     absl::StrCat(what, " has no option ", Quoted(option.name)),
                     absl::StrJoin(names, ", "));
      }
      REAPSIM_RETURN_IF_ERROR(CheckOption(option, *spec));
    }
    return absl::OkStatus();
  }

  absl::Status CheckOption(const Option& option, const OptionSpec& spec) {
    absl::Status status;
    switch (spec.value) {
      case OptionValue::kNone:
        if (!option.number.has_value() && option.word.empty()) {
          return absl::OkStatus();
        }
        return Error(option.value_place,
                     absl::StrCat(spec.name, " takes no value"),
                     absl::StrCat(spec.name, " alone"));
      case OptionValue::kNumber:
        if (option.number.has_value() && *option.number >= spec.least &&
            *option.number <= spec.most) {
          return absl::OkStatus();
        }
        return Error(
            PlaceOfValue(option),
            absl::StrCat(spec.name, " needs another value"),
            absl::StrCat("a number from ", spec.least, " to ", spec.most));
      case OptionValue::kTask:
        (void)FindTask(option.word, PlaceOfValue(option), &status);
        return status;
      case OptionValue::kArea: {
        const auto area = symbols_.find(option.word);
        if (area != symbols_.end() && area->second.pages > 0) return status;
        return Error(PlaceOfValue(option),
                     absl::StrCat(spec.name, " needs other memory"),
                     "a memfd or file that is declared before");
      }
    }
    return status;
  }
  static Place PlaceOfValue(const Option& option) {
    const bool given = option.number.has_value() || !option.word.empty();
    return given ? option.value_place : option.place;
  }

  absl::Status CheckDo(Declaration& each) {
    absl::Status status;
    if (FindTask(each.owner, each.owner_place, &status) == nullptr) {
      return status;
    }
    Symbols none;
    Typed result;
    REAPSIM_RETURN_IF_ERROR(
        CheckStatement(each.statement, each.owner, none, &result));
    if (each.statement.kind == Statement::Kind::kDeclare) {
      return Error(each.statement.place, "the initial state has no registers",
                   "a call, or a name and what it stands for");
    }
    if (each.start) {
      if (!each.statement.target.empty()) {
        return Error(each.statement.target_place,
                     "what is only begun has no result yet", "the call alone");
      }
      symbols_[each.owner].busy = true;
    }
    if (each.statement.target.empty()) return absl::OkStatus();
    return Declare(
        each.statement.target, each.statement.target_place,
        {.type = result.type, .files = result.files, .memory = result.memory});
  }

  // ---- Programs

  absl::Status CheckProgram(const TaskProgram& program) {
    absl::Status status;
    const Symbol* task = FindTask(program.task, program.task_place, &status);
    if (task == nullptr) return status;
    if (task->busy) {
      return Error(program.task_place,
                   absl::StrCat(Quoted(program.task), " is busy already"),
                   "a task that has begun nothing and runs no other program");
    }
    symbols_[program.task].busy = true;
    const bool in_order =
        program.number == static_cast<int>(scenario_->registers.size());
    if (!in_order) {
      return Error(program.place,
                   absl::StrCat("P", program.number, " is out of order"),
                   absl::StrCat("P", scenario_->registers.size()));
    }
    Symbols registers;
    for (const Statement& each : program.statements) {
      REAPSIM_RETURN_IF_ERROR(CheckInProgram(each, program.task, registers));
    }
    std::vector<std::string>& names = scenario_->registers.emplace_back();
    for (const auto& [name, symbol] : registers) names.push_back(name);
    if (names.size() > kMaxRegisters) {
      return Error(program.place, "the program has too many registers",
                   absl::StrCat("at most ", kMaxRegisters));
    }
    return absl::OkStatus();
  }

  absl::Status CheckInProgram(const Statement& each, const std::string& task,
                              Symbols& registers) {
    for (const std::string& name : each.declared) {
      REAPSIM_RETURN_IF_ERROR(CheckRegisterName(name, each.place));
    }
    Typed result;
    REAPSIM_RETURN_IF_ERROR(CheckStatement(each, task, registers, &result));
    if (each.target.empty()) return absl::OkStatus();
    REAPSIM_RETURN_IF_ERROR(CheckRegisterName(each.target, each.target_place));
    registers[each.target] = {
        .type = result.type, .files = result.files, .memory = result.memory};
    return absl::OkStatus();
  }

  absl::Status CheckRegisterName(const std::string& name, Place place) const {
    if (!symbols_.contains(name) && !FindConstant(name).has_value() &&
        !FindErrno(name).has_value()) {
      return absl::OkStatus();
    }
    return Error(place, absl::StrCat(Quoted(name), " can't be assigned to"),
                 "a register, such as r0");
  }

  absl::Status CheckStatement(const Statement& each, const std::string& task,
                              const Symbols& registers, Typed* result) {
    switch (each.kind) {
      case Statement::Kind::kDeclare:
        return absl::OkStatus();
      case Statement::Kind::kCall:
        return CheckCall(each, task, registers, result);
      case Statement::Kind::kLoad:
        return CheckMemory(each.operands[0], task, registers);
      case Statement::Kind::kStore: {
        REAPSIM_RETURN_IF_ERROR(CheckMemory(each.operands[0], task, registers));
        Typed word;
        return TypeOf(each.operands[1], registers, &word);
      }
      case Statement::Kind::kCompute:
        return TypeOf(each.operands[0], registers, result);
    }
    return absl::OkStatus();
  }

  absl::Status CheckCall(const Statement& each, const std::string& task,
                         const Symbols& registers, Typed* result) {
    const CallSpec* call = FindCall(each.call);
    if (call == nullptr) {
      std::vector<absl::string_view> names;
      for (const CallSpec& known : Calls()) names.push_back(known.name);
      return Error(each.place,
                   absl::StrCat("there is no call ", Quoted(each.call)),
                   Nearest(each.call, names, "one that docs/litmus.md lists"));
    }
    if (each.arguments.size() != call->parameters.size()) {
      return Error(
          each.place,
          absl::StrCat(each.call, " is given ", each.arguments.size(),
                       each.arguments.size() == 1 ? " argument" : " arguments"),
          call->Signature());
    }
    result->type = call->result;
    const Symbol& caller = symbols_[task];
    result->files = caller.files;
    result->memory = caller.memory;
    for (size_t i = 0; i < each.arguments.size(); ++i) {
      Typed value;
      REAPSIM_RETURN_IF_ERROR(CheckArgument(each.arguments[i],
                                            call->parameters[i], *call, caller,
                                            registers, &value));
      // send_fd(): the result means something to whoever gets it.
      if (call->result == ValueType::kFd && value.type == ValueType::kTask &&
          call->parameters[i].name == absl::string_view("to")) {
        result->files = value.files;
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckArgument(const Expr& argument, const Parameter& parameter,
                             const CallSpec& call, const Symbol& caller,
                             const Symbols& registers, Typed* value) {
    REAPSIM_RETURN_IF_ERROR(TypeOf(argument, registers, value));
    const std::string wanted =
        absl::StrCat(TypeName(parameter.type), " as ", parameter.name, " of ",
                     call.Signature());
    if (!Fits(parameter.type, value->type)) {
      return Error(argument.place,
                   absl::StrCat("here stands ", TypeName(value->type)), wanted);
    }
    if (parameter.type == ValueType::kFd && value->type == ValueType::kFd &&
        !value->files.empty() && value->files != caller.files) {
      return Error(
          argument.place,
          absl::StrCat("this descriptor is one of ", value->files, "'s"),
          absl::StrCat("one of ", caller.files,
                       "'s own; send_fd(fd, to) passes one on"));
    }
    if (parameter.type == ValueType::kAddress &&
        value->type == ValueType::kAddress && !value->memory.empty() &&
        value->memory != caller.memory) {
      return Error(argument.place,
                   absl::StrCat("this is memory of ", value->memory, "'s"),
                   absl::StrCat("an address in that of ", caller.memory));
    }
    return absl::OkStatus();
  }

  // heap[1], which the task reads or writes itself.
  absl::Status CheckMemory(const Expr& element, const std::string& task,
                           const Symbols& registers) {
    Typed base;
    REAPSIM_RETURN_IF_ERROR(TypeOfElement(element, registers, &base));
    const std::string& memory = symbols_[task].memory;
    if (base.memory.empty() || base.memory == memory) return absl::OkStatus();
    return Error(element.place,
                 absl::StrCat("this is memory of ", base.memory, "'s"),
                 absl::StrCat("memory of ", memory,
                              "'s; peek() and poke() reach into others'"));
  }

  absl::Status TypeOfElement(const Expr& element, const Symbols& registers,
                             Typed* base) {
    Expr name{.kind = Expr::Kind::kName,
              .place = element.place,
              .name = element.name};
    REAPSIM_RETURN_IF_ERROR(TypeOf(name, registers, base));
    if (base->type != ValueType::kAddress) {
      return Error(
          element.place,
          absl::StrCat(Quoted(element.name), " is ", TypeName(base->type)),
          "the name of memory before [");
    }
    const Expr& index = element.parts[0];
    Typed number;
    REAPSIM_RETURN_IF_ERROR(TypeOf(index, registers, &number));
    if (number.type != ValueType::kNumber) {
      return Error(index.place,
                   absl::StrCat("here stands ", TypeName(number.type)),
                   "the number of a page");
    }
    const auto area = symbols_.find(element.name);
    const int64_t pages = area == symbols_.end() ? 0 : area->second.pages;
    if (pages > 0 && index.kind == Expr::Kind::kNumber &&
        index.number >= pages) {
      return Error(index.place,
                   absl::StrCat(element.name, " has only ", pages,
                                pages == 1 ? " page" : " pages"),
                   absl::StrCat("a page from 0 to ", pages - 1));
    }
    return absl::OkStatus();
  }

  absl::Status TypeOf(const Expr& expr, const Symbols& registers,
                      Typed* typed) {
    switch (expr.kind) {
      case Expr::Kind::kNumber:
        return absl::OkStatus();
      case Expr::Kind::kName:
        return TypeOfName(expr, registers, typed);
      case Expr::Kind::kElement:
      case Expr::Kind::kAddress:
        return TypeOfElement(expr, registers, typed);
      case Expr::Kind::kNegate:
        // -ESRCH
        if (expr.parts[0].kind == Expr::Kind::kName &&
            FindErrno(expr.parts[0].name).has_value()) {
          return absl::OkStatus();
        }
        return TypeOfNumber(expr.parts[0], registers);
      case Expr::Kind::kAdd:
        REAPSIM_RETURN_IF_ERROR(TypeOf(expr.parts[0], registers, typed));
        if (IsMinusAddress(expr.parts[1])) {
          return TypeOfDistance(expr.parts[1].parts[0], registers, typed);
        }
        return TypeOfNumber(expr.parts[1], registers);
      case Expr::Kind::kOr:
        REAPSIM_RETURN_IF_ERROR(TypeOfNumber(expr.parts[0], registers));
        return TypeOfNumber(expr.parts[1], registers);
    }
    return absl::OkStatus();
  }

  static bool IsMinusAddress(const Expr& expr) {
    return expr.kind == Expr::Kind::kNegate &&
           expr.parts[0].kind == Expr::Kind::kAddress;
  }

  // &a[0] + -&b[0]: how far apart two places are. `typed` is that of the first.
  absl::Status TypeOfDistance(const Expr& from, const Symbols& registers,
                              Typed* typed) {
    if (typed->type != ValueType::kAddress) {
      return Error(from.place, "here stands an address",
                   "a number, or an address before the minus, too");
    }
    *typed = Typed{};
    Typed other;
    return TypeOf(from, registers, &other);
  }

  absl::Status TypeOfNumber(const Expr& expr, const Symbols& registers) {
    Typed typed;
    REAPSIM_RETURN_IF_ERROR(TypeOf(expr, registers, &typed));
    // A task is known by its number, too.
    if (typed.type == ValueType::kNumber || typed.type == ValueType::kTask) {
      return absl::OkStatus();
    }
    return Error(expr.place, absl::StrCat("here stands ", TypeName(typed.type)),
                 "a number");
  }

  absl::Status TypeOfName(const Expr& expr, const Symbols& registers,
                          Typed* typed) {
    const auto local = registers.find(expr.name);
    const auto global = symbols_.find(expr.name);
    if (local == registers.end() && global == symbols_.end()) {
      if (FindConstant(expr.name).has_value()) return absl::OkStatus();
      if (FindErrno(expr.name).has_value()) {
        return Error(expr.place, Quoted(expr.name) + " is an errno",
                     absl::StrCat("-", expr.name));
      }
      std::vector<absl::string_view> names = ConstantNames();
      for (const auto& [name, symbol] : symbols_) names.push_back(name);
      for (const auto& [name, symbol] : registers) names.push_back(name);
      return Error(
          expr.place, absl::StrCat("there is no ", Quoted(expr.name), " yet"),
          Nearest(expr.name, names, "a name from above, or a constant"));
    }
    const Symbol& symbol =
        local != registers.end() ? local->second : global->second;
    *typed = {symbol.type, symbol.files, symbol.memory};
    return absl::OkStatus();
  }

  // ---- The condition

  absl::Status CheckProp(const Prop& prop) {
    for (const Prop& part : prop.parts) {
      REAPSIM_RETURN_IF_ERROR(CheckProp(part));
    }
    if (prop.kind != Prop::Kind::kAtom) return absl::OkStatus();
    REAPSIM_RETURN_IF_ERROR(CheckTerm(prop.term));
    return CheckValue(prop);
  }

  absl::Status CheckTerm(const Term& term) {
    REAPSIM_RETURN_IF_ERROR(term.function.empty() ? CheckRegister(term)
                                                  : CheckFunction(term));
    std::vector<Term>& terms = scenario_->terms;
    if (std::find(terms.begin(), terms.end(), term) == terms.end() &&
        term.function != "verdict") {
      terms.push_back(term);
    }
    return absl::OkStatus();
  }

  absl::Status CheckRegister(const Term& term) {
    if (term.task >= static_cast<int>(scenario_->registers.size())) {
      return Error(term.place, absl::StrCat("there is no P", term.task),
                   absl::StrCat("0 to ", scenario_->registers.size() - 1));
    }
    const std::vector<std::string>& names = scenario_->registers[term.task];
    if (std::find(names.begin(), names.end(), term.reg) != names.end()) {
      return absl::OkStatus();
    }
    return Error(
        term.argument_place,
        absl::StrCat("P", term.task, " assigns nothing to ", Quoted(term.reg)),
        names.empty() ? "a register that it assigns to"
                      : absl::StrJoin(names, " or "));
  }

  absl::Status CheckFunction(const Term& term) {
    const TermSpec* spec = FindTerm(term.function);
    if (spec == nullptr) {
      std::vector<absl::string_view> names;
      for (const TermSpec& each : TermSpecs()) names.push_back(each.name);
      return Error(term.place,
                   absl::StrCat("nobody can tell ", Quoted(term.function)),
                   Nearest(term.function, names, absl::StrJoin(names, ", ")));
    }
    absl::Status status;
    if (spec->of == TermOf::kNothing) return status;
    if (spec->of != TermOf::kArea) {
      (void)FindTask(term.argument, term.argument_place, &status);
      return status;
    }
    const auto area = symbols_.find(term.argument);
    if (area != symbols_.end() && area->second.pages > 0) return status;
    return Error(term.argument_place,
                 absl::StrCat("there is no memory ", Quoted(term.argument)),
                 "what a declaration such as anon heap[4]: victim; names");
  }

  absl::Status CheckValue(const Prop& atom) {
    const bool is_register = atom.term.function.empty();
    const bool ordered = atom.compare != Prop::Compare::kEq &&
                         atom.compare != Prop::Compare::kNe;
    if (atom.number.has_value()) {
      if (atom.term.function != "verdict" && atom.term.function != "state") {
        return absl::OkStatus();
      }
    } else if (is_register) {
      if (atom.negative) {
        if (FindErrno(atom.word).has_value()) return absl::OkStatus();
        return Error(atom.value_place, Quoted("-" + atom.word) + " is no errno",
                     "one such as -ESRCH");
      }
      if ((atom.word == kNeverWord && !ordered) ||
          FindConstant(atom.word).has_value()) {
        return absl::OkStatus();
      }
      if (FindErrno(atom.word).has_value()) {
        return Error(atom.value_place,
                     Quoted(atom.word) + " is not what calls return",
                     absl::StrCat("-", atom.word));
      }
      return Error(atom.value_place,
                   absl::StrCat("a register never is ", Quoted(atom.word)),
                   "a number, an errno such as -ESRCH, or never");
    }
    if (is_register || (!atom.negative && !ordered && IsWordOf(atom))) {
      return absl::OkStatus();
    }
    const TermSpec& spec = *FindTerm(atom.term.function);
    return Error(
        atom.value_place, absl::StrCat(atom.term.ToString(), " never is that"),
        spec.words.empty()
            ? "a number"
            : absl::StrCat(
                  "= or != and one of ", absl::StrJoin(spec.words, ", "),
                  spec.of == TermOf::kNothing ? ", or the number of an "
                                                "invariant such as S3"
                                              : ""));
  }

  static bool IsWordOf(const Prop& atom) {
    const TermSpec& spec = *FindTerm(atom.term.function);
    if (std::find(spec.words.begin(), spec.words.end(), atom.word) !=
        spec.words.end()) {
      return true;
    }
    return spec.of == TermOf::kNothing && IsInvariant(atom.word);
  }

  ReapFile& file_;
  Symbols& symbols_;
  Scenario* scenario_;
};

}  // namespace

absl::StatusOr<Scenario> CheckReapFile(ReapFile file) {
  Scenario scenario;
  scenario.file = std::move(file);
  REAPSIM_RETURN_IF_ERROR(Checker(&scenario).Run());
  return scenario;
}

absl::StatusOr<Scenario> ReadScenario(absl::string_view text,
                                      absl::string_view file_name) {
  absl::StatusOr<ReapFile> file = ParseReapFile(text, file_name);
  if (!file.ok()) return file.status();
  return CheckReapFile(*std::move(file));
}

bool AsksForVerdict(const Prop& prop) {
  return prop.term.function == "verdict" ||
         std::any_of(prop.parts.begin(), prop.parts.end(), AsksForVerdict);
}

}  // namespace reapsim
