// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/parser.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "litmus/lexer.h"
#include "litmus/promise.h"
#include "litmus/return_if_error.h"

namespace reapsim {
namespace {

constexpr absl::string_view kTaskWords[] = {"process", "thread", "sharer",
                                            "borrower"};
constexpr absl::string_view kAreaWords[] = {"anon",      "file",    "memfd",
                                            "secretmem", "hugetlb", "device"};
// No task, area or variable may have one of these names.
constexpr absl::string_view kReserved[] = {
    "machine", "process", "thread",    "sharer",  "borrower", "anon",
    "file",    "memfd",   "secretmem", "hugetlb", "device",   "block",
    "run",     "start",   "int",       "exists",  "forall",   "locations",
    "not",     "verdict", "never"};
// Parentheses in parentheses; nobody writes more.
constexpr int kMaxDepth = 40;
// What one + after the other joins.
constexpr int kMaxOperands = 40;

template <class Container>
bool Contains(const Container& words, absl::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// "P0": 0. -1 for any other name.
int NumberOfProgram(absl::string_view name) {
  int number = -1;
  if (name.size() < 2 || name.size() > 4 || name[0] != 'P' ||
      !absl::ascii_isdigit(static_cast<unsigned char>(name[1])) ||
      !absl::SimpleAtoi(name.substr(1), &number)) {
    return -1;
  }
  return number;
}

// What begins the next part of a file: inside of braces, one is not closed.
bool BeginsNextPart(const Token& token) {
  return NumberOfProgram(token.text) >= 0 || token.Is("exists") ||
         token.Is("forall") || token.Is("locations");
}

// Where in an expression memory is read; null: nowhere.
const Expr* FindElement(const Expr& expr) {
  if (expr.kind == Expr::Kind::kElement) return &expr;
  for (const Expr& part : expr.parts) {
    if (const Expr* found = FindElement(part); found != nullptr) return found;
  }
  return nullptr;
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, absl::string_view file_name)
      : tokens_(std::move(tokens)), file_name_(file_name) {}

  absl::Status Parse(ReapFile* file) {
    REAPSIM_RETURN_IF_ERROR(InitialState(&file->declarations));
    while (NumberOfProgram(Now().text) >= 0) {
      REAPSIM_RETURN_IF_ERROR(Program(&file->programs.emplace_back()));
    }
    if (file->programs.empty()) {
      return Unexpected("a program such as P0(lmkd) { ... }");
    }
    if (Now().Is("locations")) {
      REAPSIM_RETURN_IF_ERROR(Locations(&file->locations));
    }
    REAPSIM_RETURN_IF_ERROR(FinalCondition(&file->condition));
    if (Now().kind != TokenKind::kEnd) {
      return Unexpected("nothing after the condition");
    }
    return absl::OkStatus();
  }

 private:
  const Token& Now() const { return tokens_[next_]; }
  const Token& After() const {
    return tokens_[std::min(next_ + 1, tokens_.size() - 1)];
  }
  Token Take() {
    const Token token = Now();
    if (next_ + 1 < tokens_.size()) ++next_;
    return token;
  }
  bool TakeIf(absl::string_view symbol) {
    if (!Now().Is(symbol)) return false;
    (void)Take();
    return true;
  }
  absl::Status Error(Place place, absl::string_view what,
                     absl::string_view advice) const {
    return ErrorAt(file_name_, place, what, advice);
  }
  absl::Status Unexpected(absl::string_view advice) const {
    return Error(Now().place, absl::StrCat("here stands ", Now().Shown()),
                 advice);
  }
  absl::Status Want(absl::string_view symbol, absl::string_view advice) {
    if (TakeIf(symbol)) return absl::OkStatus();
    return Unexpected(advice);
  }
  absl::Status WantName(absl::string_view advice, std::string* name,
                        Place* place = nullptr) {
    if (Now().kind != TokenKind::kName) return Unexpected(advice);
    const Token token = Take();
    *name = token.text;
    if (place != nullptr) *place = token.place;
    return absl::OkStatus();
  }
  // A name of the file's own making.
  absl::Status WantNewName(absl::string_view advice,
                           Declaration::Named* named) {
    REAPSIM_RETURN_IF_ERROR(WantName(advice, &named->name, &named->place));
    return CheckNotReserved(named->name, named->place);
  }
  absl::Status CheckNotReserved(absl::string_view name, Place place) const {
    if (!Contains(kReserved, name)) return absl::OkStatus();
    return Error(place,
                 absl::StrCat(Quoted(name), " is a word of the language"),
                 "another name");
  }
  absl::Status WantNumber(absl::string_view advice, int64_t* number) {
    if (Now().kind != TokenKind::kNumber) return Unexpected(advice);
    *number = Take().number;
    return absl::OkStatus();
  }

  // ---- The initial state

  absl::Status InitialState(std::vector<Declaration>* declarations) {
    REAPSIM_RETURN_IF_ERROR(Want("{", "{ and the initial state"));
    while (!TakeIf("}")) {
      REAPSIM_RETURN_IF_ERROR(OneDeclaration(&declarations->emplace_back()));
    }
    return absl::OkStatus();
  }

  absl::Status OneDeclaration(Declaration* made) {
    made->place = Now().place;
    if (Now().kind != TokenKind::kName) {
      return Unexpected(
          "a declaration such as process victim; or } after the initial state");
    }
    if (BeginsNextPart(Now()) && !After().Is(":")) {
      return Unexpected("} after the initial state");
    }
    if (Contains(kTaskWords, Now().text)) return TaskDeclaration(made);
    if (Contains(kAreaWords, Now().text)) return AreaDeclaration(made);
    if (Now().Is("machine")) return MachineDeclaration(made);
    if (Now().Is("block")) return BlockDeclaration(made);
    if (Now().Is("run")) return RunDeclaration(made);
    return DoDeclaration(made);
  }

  absl::Status EndDeclaration() { return Want(";", "; after the declaration"); }

  absl::Status TaskDeclaration(Declaration* made) {
    made->kind = Declaration::Kind::kTask;
    made->word = Take().text;
    do {
      REAPSIM_RETURN_IF_ERROR(
          WantNewName(absl::StrCat("a name for the ", made->word),
                      &made->names.emplace_back()));
    } while (TakeIf(","));
    if (made->word == "process") {
      if (TakeIf(":")) {
        REAPSIM_RETURN_IF_ERROR(Options(&made->options));
      }
      return EndDeclaration();
    }
    REAPSIM_RETURN_IF_ERROR(
        Want(":", absl::StrCat(": and whose ", made->word, " it is")));
    REAPSIM_RETURN_IF_ERROR(
        WantName("the name of a process", &made->owner, &made->owner_place));
    return EndDeclaration();
  }

  absl::Status AreaDeclaration(Declaration* made) {
    made->kind = Declaration::Kind::kArea;
    made->word = Take().text;
    REAPSIM_RETURN_IF_ERROR(
        WantNewName("a name for the memory", &made->names.emplace_back()));
    REAPSIM_RETURN_IF_ERROR(Want("[", "[ and the number of pages"));
    const Place place = Now().place;
    REAPSIM_RETURN_IF_ERROR(WantNumber("the number of pages", &made->pages));
    constexpr int64_t kMostPages = 1 << 20;
    if (made->pages < 1 || made->pages > kMostPages) {
      return Error(place, "so many pages can't be mapped",
                   "1 to 1048576 pages");
    }
    REAPSIM_RETURN_IF_ERROR(Want("]", "] after the number of pages"));
    REAPSIM_RETURN_IF_ERROR(Want(":", ": and whose memory it is"));
    REAPSIM_RETURN_IF_ERROR(
        WantName("the name of a process", &made->owner, &made->owner_place));
    if (TakeIf(",")) {
      REAPSIM_RETURN_IF_ERROR(Options(&made->options));
    }
    return EndDeclaration();
  }

  absl::Status MachineDeclaration(Declaration* made) {
    made->kind = Declaration::Kind::kMachine;
    (void)Take();
    REAPSIM_RETURN_IF_ERROR(Options(&made->options));
    return EndDeclaration();
  }

  absl::Status BlockDeclaration(Declaration* made) {
    made->kind = Declaration::Kind::kBlock;
    (void)Take();
    if (!Now().Is("device") && !Now().Is("dumps")) {
      return Unexpected("device or dumps: what is not answered");
    }
    made->word = Take().text;
    return EndDeclaration();
  }

  absl::Status RunDeclaration(Declaration* made) {
    made->kind = Declaration::Kind::kRun;
    (void)Take();
    Declaration::Named& named = made->names.emplace_back();
    REAPSIM_RETURN_IF_ERROR(WantName("the task that runs as far as it gets",
                                     &named.name, &named.place));
    return EndDeclaration();
  }

  absl::Status DoDeclaration(Declaration* made) {
    made->kind = Declaration::Kind::kDo;
    REAPSIM_RETURN_IF_ERROR(
        WantName("a declaration", &made->owner, &made->owner_place));
    if (!TakeIf(":")) {
      return Error(made->owner_place,
                   absl::StrCat(Quoted(made->owner), " begins no declaration"),
                   "machine, process, thread, sharer, borrower, anon, file, "
                   "memfd, secretmem, hugetlb, device, block, run, or "
                   "a task's name, : and what it does; or } after the initial "
                   "state");
    }
    made->start = TakeIf("start");
    return OneStatement(&made->statement);
  }

  absl::Status Options(std::vector<Option>* options) {
    do {
      Option& option = options->emplace_back();
      REAPSIM_RETURN_IF_ERROR(
          WantName("an option", &option.name, &option.place));
      if (!TakeIf("=")) continue;
      option.value_place = Now().place;
      const bool negative = TakeIf("-");
      if (Now().kind == TokenKind::kNumber) {
        option.number = negative ? -Take().number : Take().number;
      } else {
        REAPSIM_RETURN_IF_ERROR(WantName("a number or a name", &option.word));
      }
    } while (TakeIf(","));
    return absl::OkStatus();
  }

  // ---- Programs

  absl::Status Program(TaskProgram* program) {
    const Token name = Take();
    program->place = name.place;
    program->number = NumberOfProgram(name.text);
    REAPSIM_RETURN_IF_ERROR(Want("(", "( and the task that runs it"));
    REAPSIM_RETURN_IF_ERROR(WantName("the name of the task that runs it",
                                     &program->task, &program->task_place));
    REAPSIM_RETURN_IF_ERROR(Want(")", ") after the task"));
    REAPSIM_RETURN_IF_ERROR(Want("{", "{ and the task's program"));
    while (!TakeIf("}")) {
      if (Now().kind != TokenKind::kName) {
        return Unexpected("a statement, or } after the program");
      }
      if (BeginsNextPart(Now()) && !After().Is("=")) {
        return Unexpected("} after the program");
      }
      REAPSIM_RETURN_IF_ERROR(
          OneStatement(&program->statements.emplace_back()));
    }
    return absl::OkStatus();
  }

  absl::Status OneStatement(Statement* made) {
    made->place = Now().place;
    if (Now().kind == TokenKind::kName) {
      if (Now().text == "if" || Now().text == "while" || Now().text == "for") {
        return Error(made->place, "programs have no branches",
                     "one statement after the other");
      }
      if (Now().text == "int") return DeclareStatement(made);
      if (After().Is("(")) return CallStatement(made);
      if (After().Is("[")) return StoreStatement(made);
      if (After().Is("=")) return AssignStatement(made);
      if (After().kind != TokenKind::kEnd) (void)Take();
    }
    return Unexpected(
        "a statement such as r0 = call(...); heap[0] = 7; or r1 = heap[0];");
  }

  absl::Status EndStatement() { return Want(";", "; after the statement"); }

  absl::Status DeclareStatement(Statement* made) {
    made->kind = Statement::Kind::kDeclare;
    (void)Take();
    do {
      Declaration::Named named;
      REAPSIM_RETURN_IF_ERROR(WantNewName("the name of a register", &named));
      made->declared.push_back(named.name);
    } while (TakeIf(","));
    return EndStatement();
  }

  absl::Status CallStatement(Statement* made) {
    REAPSIM_RETURN_IF_ERROR(Call(made));
    return EndStatement();
  }

  absl::Status Call(Statement* made) {
    made->kind = Statement::Kind::kCall;
    const Token name = Take();
    made->place = name.place;
    made->call = name.text;
    (void)Take();  // "("
    if (TakeIf(")")) return absl::OkStatus();
    do {
      REAPSIM_RETURN_IF_ERROR(ValueExpression(&made->arguments.emplace_back()));
    } while (TakeIf(","));
    return Want(")", ") after the arguments, or , between them");
  }

  absl::Status StoreStatement(Statement* made) {
    made->kind = Statement::Kind::kStore;
    REAPSIM_RETURN_IF_ERROR(Primary(&made->operands.emplace_back(), 0));
    REAPSIM_RETURN_IF_ERROR(Want("=", "= and the word to store"));
    REAPSIM_RETURN_IF_ERROR(ValueExpression(&made->operands.emplace_back()));
    return EndStatement();
  }

  absl::Status AssignStatement(Statement* made) {
    const Token target = Take();
    made->target = target.text;
    made->target_place = target.place;
    REAPSIM_RETURN_IF_ERROR(CheckNotReserved(target.text, target.place));
    (void)Take();  // "="
    if (Now().kind == TokenKind::kName && After().Is("(")) {
      return CallStatement(made);
    }
    Expr& value = made->operands.emplace_back();
    REAPSIM_RETURN_IF_ERROR(Expression(&value, 0));
    made->kind = Statement::Kind::kLoad;
    if (value.kind != Expr::Kind::kElement) {
      made->kind = Statement::Kind::kCompute;
      REAPSIM_RETURN_IF_ERROR(CheckReadsNothing(value));
    } else {
      REAPSIM_RETURN_IF_ERROR(CheckReadsNothing(value.parts[0]));
    }
    return EndStatement();
  }

  // An expression in which no memory is read.
  absl::Status ValueExpression(Expr* made) {
    REAPSIM_RETURN_IF_ERROR(Expression(made, 0));
    return CheckReadsNothing(*made);
  }
  absl::Status CheckReadsNothing(const Expr& expr) const {
    const Expr* element = FindElement(expr);
    if (element == nullptr) return absl::OkStatus();
    return Error(
        element->place,
        absl::StrCat(element->name,
                     "[...] would be read in the middle of a statement"),
        absl::StrCat("a statement of its own, r0 = ", element->name,
                     "[...]; or the address, &", element->name, "[...]"));
  }

  absl::Status Expression(Expr* made, int depth) {
    REAPSIM_RETURN_IF_ERROR(Primary(made, depth));
    for (int operands = 2; Now().Is("+") || Now().Is("|"); ++operands) {
      if (operands > kMaxOperands) {
        return Error(Now().place, "this joins too much",
                     absl::StrCat("at most ", kMaxOperands, " operands"));
      }
      const Token sign = Take();
      Expr joined{.kind = sign.text == "+" ? Expr::Kind::kAdd : Expr::Kind::kOr,
                  .place = sign.place};
      joined.parts.push_back(std::move(*made));
      joined.parts.emplace_back();
      REAPSIM_RETURN_IF_ERROR(Primary(&joined.parts.back(), depth));
      *made = std::move(joined);
    }
    return absl::OkStatus();
  }

  absl::Status CheckDepth(int depth) const {
    if (depth <= kMaxDepth) return absl::OkStatus();
    return Error(Now().place, "this is nested too deep",
                 absl::StrCat("at most ", kMaxDepth, " levels"));
  }

  absl::Status Primary(Expr* made, int depth) {
    REAPSIM_RETURN_IF_ERROR(CheckDepth(depth));
    made->place = Now().place;
    if (TakeIf("(")) {
      REAPSIM_RETURN_IF_ERROR(Expression(made, depth + 1));
      return Want(")", ") after the expression");
    }
    if (TakeIf("-")) {
      made->kind = Expr::Kind::kNegate;
      return Primary(&made->parts.emplace_back(), depth + 1);
    }
    const bool address = TakeIf("&");
    if (Now().kind == TokenKind::kNumber && !address) {
      made->number = Take().number;
      return absl::OkStatus();
    }
    REAPSIM_RETURN_IF_ERROR(WantName(
        address ? "the name of memory" : "a number or a name", &made->name));
    made->kind = Expr::Kind::kName;
    if (!Now().Is("[")) {
      if (address) return Unexpected("[ and the number of a page");
      return absl::OkStatus();
    }
    (void)Take();
    made->kind = address ? Expr::Kind::kAddress : Expr::Kind::kElement;
    REAPSIM_RETURN_IF_ERROR(Expression(&made->parts.emplace_back(), depth + 1));
    return Want("]", "] after the number of a page");
  }

  // ---- The condition

  absl::Status Locations(std::vector<Term>* locations) {
    (void)Take();
    REAPSIM_RETURN_IF_ERROR(Want("[", "[ and what to show"));
    while (!TakeIf("]")) {
      REAPSIM_RETURN_IF_ERROR(OneTerm(&locations->emplace_back()));
      REAPSIM_RETURN_IF_ERROR(Want(";", "; after each thing to show"));
    }
    return absl::OkStatus();
  }

  absl::Status FinalCondition(Condition* made) {
    made->place = Now().place;
    if (TakeIf("~")) {
      made->kind = Condition::Kind::kNotExists;
      REAPSIM_RETURN_IF_ERROR(Want("exists", "exists after ~"));
    } else if (TakeIf("forall")) {
      made->kind = Condition::Kind::kForall;
    } else if (!TakeIf("exists")) {
      return Unexpected(
          "another program, locations, or exists, ~exists or forall and the "
          "condition in parentheses");
    }
    REAPSIM_RETURN_IF_ERROR(Want("(", "( and the condition"));
    REAPSIM_RETURN_IF_ERROR(Or(&made->prop, 0));
    return Want(")", ") after the condition, or /\\ or \\/");
  }

  absl::Status Or(Prop* made, int depth) {
    return Joined(made, "\\/", Prop::Kind::kOr, depth,
                  [this](Prop* part, int inner) { return And(part, inner); });
  }
  absl::Status And(Prop* made, int depth) {
    return Joined(made, "/\\", Prop::Kind::kAnd, depth,
                  [this](Prop* part, int inner) { return Not(part, inner); });
  }
  // part { sign part }
  template <class ParsePart>
  absl::Status Joined(Prop* made, absl::string_view sign, Prop::Kind kind,
                      int depth, const ParsePart& parse) {
    const Place place = Now().place;
    REAPSIM_RETURN_IF_ERROR(parse(made, depth));
    if (!Now().Is(sign)) return absl::OkStatus();
    Prop joined{.kind = kind, .place = place};
    joined.parts.push_back(std::move(*made));
    while (TakeIf(sign)) {
      REAPSIM_RETURN_IF_ERROR(parse(&joined.parts.emplace_back(), depth));
    }
    *made = std::move(joined);
    return absl::OkStatus();
  }

  absl::Status Not(Prop* made, int depth) {
    REAPSIM_RETURN_IF_ERROR(CheckDepth(depth));
    made->place = Now().place;
    if (TakeIf("not") || TakeIf("~")) {
      made->kind = Prop::Kind::kNot;
      return Not(&made->parts.emplace_back(), depth + 1);
    }
    if (TakeIf("(")) {
      REAPSIM_RETURN_IF_ERROR(Or(made, depth + 1));
      return Want(")", ") after the condition, or /\\ or \\/");
    }
    return Atom(made);
  }

  absl::Status OneTerm(Term* made) {
    constexpr char kAdvice[] =
        "a register such as 0:r0, something such as rss(victim), or verdict";
    const Token first = Take();
    made->place = first.place;
    if (After().kind == TokenKind::kName && Now().Is(":")) {
      made->task = first.kind == TokenKind::kNumber
                       ? static_cast<int>(std::min<int64_t>(first.number, 999))
                       : NumberOfProgram(first.text);
      if (made->task < 0) {
        return Error(first.place, absl::StrCat(first.Shown(), " is no program"),
                     "its number, as in 0:r0 or P0:r0");
      }
      (void)Take();
      return WantName("the name of a register", &made->reg,
                      &made->argument_place);
    }
    if (first.kind != TokenKind::kName) {
      return Error(first.place, absl::StrCat("here stands ", first.Shown()),
                   kAdvice);
    }
    made->function = first.text;
    if (first.text == "verdict") return absl::OkStatus();
    if (!Now().Is("(")) {
      return Error(first.place,
                   absl::StrCat(first.Shown(), " alone says nothing"), kAdvice);
    }
    (void)Take();
    REAPSIM_RETURN_IF_ERROR(WantName("the name of a task or of memory",
                                     &made->argument, &made->argument_place));
    return Want(")", absl::StrCat(") after ", made->argument));
  }

  absl::Status Atom(Prop* made) {
    constexpr struct {
      absl::string_view sign;
      Prop::Compare compare;
    } kCompares[] = {
        {"=", Prop::Compare::kEq}, {"!=", Prop::Compare::kNe},
        {"<", Prop::Compare::kLt}, {"<=", Prop::Compare::kLe},
        {">", Prop::Compare::kGt}, {">=", Prop::Compare::kGe},
    };
    REAPSIM_RETURN_IF_ERROR(OneTerm(&made->term));
    const auto* compare =
        std::find_if(std::begin(kCompares), std::end(kCompares),
                     [this](const auto& each) { return Now().Is(each.sign); });
    if (compare == std::end(kCompares)) {
      return Unexpected("=, !=, <, <=, > or >= and a value");
    }
    (void)Take();
    made->compare = compare->compare;
    made->value_place = Now().place;
    made->negative = TakeIf("-");
    if (Now().kind == TokenKind::kNumber) {
      made->number = Take().number;
      return absl::OkStatus();
    }
    return WantName("a number, an errno such as -ESRCH, or a word",
                    &made->word);
  }

  std::vector<Token> tokens_;
  absl::string_view file_name_;
  size_t next_ = 0;
};

}  // namespace

absl::StatusOr<ReapFile> ParseReapFile(absl::string_view text,
                                       absl::string_view file_name) {
  absl::StatusOr<Words> words = SplitIntoWords(text, file_name);
  if (!words.ok()) return words.status();
  ReapFile file;
  file.file_name = std::string(file_name);
  file.name = words->name;
  absl::StatusOr<std::vector<Promise>> promises =
      ReadPromises(words->comments, file_name, words->tokens.front().place);
  if (!promises.ok()) return promises.status();
  file.promises = *std::move(promises);
  REAPSIM_RETURN_IF_ERROR(
      Parser(std::move(words->tokens), file_name).Parse(&file));
  return file;
}

}  // namespace reapsim
