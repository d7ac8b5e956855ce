// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/reference.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace reapsim {
namespace {

constexpr int kFree = -1;

// A whole state of a program; compared by value, member by member.
struct State {
  struct RwLock {
    int writer = kFree;
    uint32_t readers = 0;  // one bit for each task
    auto operator<=>(const RwLock&) const = default;
  };
  struct Task {
    size_t at = 0;  // the next instruction, always a visible one
    int registers[kToyRegisters] = {};
    auto operator<=>(const Task&) const = default;
  };
  std::vector<int> words;
  std::vector<int> cells;
  std::vector<int> locks;  // who holds it
  std::vector<RwLock> rw_locks;
  std::vector<Task> tasks;

  auto operator<=>(const State&) const = default;
};

State StartOf(const ToyProgram& program) {
  return {.words = program.words,
          .cells = std::vector<int>(program.cells),
          .locks = std::vector<int>(program.locks, kFree),
          .rw_locks = std::vector<State::RwLock>(program.rw_locks),
          .tasks = std::vector<State::Task>(program.tasks.size())};
}

bool IsDone(const ToyProgram& program, const State& state, int task) {
  return state.tasks[task].at == program.tasks[task].size();
}

bool CanStep(const ToyProgram& program, const State& state, int task) {
  if (IsDone(program, state, task)) return false;
  const Instruction& i = program.tasks[task][state.tasks[task].at];
  switch (i.what) {
    case Do::kAwait:
      return Holds(state.words[i.object], i.compare, i.value);
    case Do::kLock:
      return state.locks[i.object] == kFree;
    case Do::kDownRead:
      return state.rw_locks[i.object].writer == kFree;
    case Do::kDownWrite:
      return state.rw_locks[i.object].writer == kFree &&
             state.rw_locks[i.object].readers == 0;
    default:
      return true;
  }
}

// What a task has done, for the question what orders what. Of a step that ends
// in trouble the operation itself may be missing.
struct Event {
  int task;
  size_t at;  // the instruction
  Do what;    // kTryLock: one that took the lock
  int object;
};
using Events = std::vector<Event>;

Trouble NotHeld() { return {VerdictKind::kInvariantBroken, kToyNotHeld}; }

std::optional<Trouble> DoLockOperation(State& state, int task,
                                       const Instruction& i) {
  switch (i.what) {
    case Do::kLock:
      state.locks[i.object] = task;
      break;
    case Do::kTryLock: {
      const bool free = state.locks[i.object] == kFree;
      if (free) state.locks[i.object] = task;
      state.tasks[task].registers[i.reg] = free ? 1 : 0;
      break;
    }
    case Do::kUnlock:
      if (state.locks[i.object] != task) return NotHeld();
      state.locks[i.object] = kFree;
      break;
    case Do::kDownRead:
      state.rw_locks[i.object].readers |= 1u << task;
      break;
    case Do::kUpRead:
      if ((state.rw_locks[i.object].readers >> task & 1) == 0) return NotHeld();
      state.rw_locks[i.object].readers &= ~(1u << task);
      break;
    case Do::kDownWrite:
      state.rw_locks[i.object].writer = task;
      break;
    case Do::kUpWrite:
      if (state.rw_locks[i.object].writer != task) return NotHeld();
      state.rw_locks[i.object].writer = kFree;
      break;
    default:
      REAP_CHECK(false, "reference: not an operation on a lock");
  }
  return std::nullopt;
}

std::optional<Trouble> DoVisible(State& state, int task, const Instruction& i) {
  if (i.what >= Do::kLock) return DoLockOperation(state, task, i);
  int& word = state.words[i.object];
  int& reg = state.tasks[task].registers[i.reg];
  switch (i.what) {
    case Do::kLoad:
    case Do::kLoadAcquire:
      reg = word;
      break;
    case Do::kStore:
    case Do::kStoreRelease:
      word = i.value;
      break;
    case Do::kStoreReg:
      word = reg + i.value;
      break;
    case Do::kAdd:
      reg = std::exchange(word, word + i.value);
      break;
    case Do::kOr:
      reg = std::exchange(word, word | i.value);
      break;
    case Do::kExchange:
      reg = std::exchange(word, i.value);
      break;
    default:  // kAwait
      break;
  }
  return std::nullopt;
}

// Local instructions, up to the next visible one.
std::optional<Trouble> DoLocals(const ToyProgram& program, State& state,
                                int task, Events* events) {
  State::Task& self = state.tasks[task];
  while (!IsDone(program, state, task)) {
    const Instruction& i = program.tasks[task][self.at];
    if (IsVisible(i.what)) return std::nullopt;
    if (events != nullptr) {
      events->push_back({task, self.at, i.what, i.object});
    }
    self.at++;
    int& reg = self.registers[i.reg];
    switch (i.what) {
      case Do::kReadCell:
        reg = state.cells[i.object];
        break;
      case Do::kWriteCell:
        state.cells[i.object] = reg + i.value;
        break;
      case Do::kSet:
        reg = i.value;
        break;
      case Do::kJump:
        self.at = i.target;
        break;
      case Do::kJumpIf:
        if (Holds(reg, i.compare, i.value)) self.at = i.target;
        break;
      default:  // kCheck
        if (!Holds(reg, i.compare, i.value)) {
          return Trouble{VerdictKind::kWrongResult, kToyWrongResult};
        }
    }
  }
  return std::nullopt;
}

std::optional<Trouble> BrokenInvariant(const ToyProgram& program,
                                       const State& state) {
  for (size_t i = 0; i < program.invariants.size(); ++i) {
    const ToyInvariant& invariant = program.invariants[i];
    if (state.words[invariant.left] + state.words[invariant.right] >
        invariant.limit) {
      return Trouble{VerdictKind::kInvariantBroken,
                     ToyInvariantText(static_cast<int>(i))};
    }
  }
  return std::nullopt;
}

// One step of a task that can make one; adds to `events`, unless null.
std::optional<Trouble> Step(const ToyProgram& program, State& state, int task,
                            Events* events = nullptr) {
  const size_t at = state.tasks[task].at++;
  const Instruction& i = program.tasks[task][at];
  const bool was_held =
      i.what == Do::kTryLock && state.locks[i.object] != kFree;
  std::optional<Trouble> trouble = DoVisible(state, task, i);
  if (!trouble && !was_held && events != nullptr) {
    events->push_back({task, at, i.what, i.object});
  }
  if (!trouble) trouble = DoLocals(program, state, task, events);
  if (!trouble) trouble = BrokenInvariant(program, state);
  return trouble;
}

std::vector<int> WhoCanStep(const ToyProgram& program, const State& state) {
  std::vector<int> tasks;
  for (int t = 0; t < static_cast<int>(state.tasks.size()); ++t) {
    if (CanStep(program, state, t)) tasks.push_back(t);
  }
  return tasks;
}

// Of a state in which nobody can step: a deadlock, a leak, or nothing.
std::optional<Trouble> TroubleAtEnd(const ToyProgram& program,
                                    const State& state) {
  std::string stuck;
  for (int t = 0; t < static_cast<int>(state.tasks.size()); ++t) {
    if (IsDone(program, state, t)) continue;
    absl::StrAppend(&stuck, stuck.empty() ? "" : " ", t);
  }
  if (!stuck.empty()) return Trouble{VerdictKind::kDeadlock, stuck};
  const bool leaked =
      std::any_of(state.locks.begin(), state.locks.end(),
                  [](int holder) { return holder != kFree; }) ||
      std::any_of(state.rw_locks.begin(), state.rw_locks.end(),
                  [](const State::RwLock& lock) {
                    return lock.writer != kFree || lock.readers != 0;
                  });
  if (leaked) return Trouble{VerdictKind::kLeak, kToyLeak};
  return std::nullopt;
}

std::string EndOf(const State& state) {
  ToyEnd end{.registers = {}, .words = state.words, .cells = state.cells};
  for (const State::Task& task : state.tasks) {
    end.registers.emplace_back(std::begin(task.registers),
                               std::end(task.registers));
  }
  return ToString(end);
}

bool Preempts(const ToyProgram& program, const State& state, int last,
              int next) {
  return last >= 0 && last != next && CanStep(program, state, last);
}

template <class Key>
void KeepLeast(std::map<Key, int>& map, const Key& key, int preemptions) {
  const auto [it, is_new] = map.emplace(key, preemptions);
  if (!is_new) it->second = std::min(it->second, preemptions);
}

// All continuations of one state, each on its own copy.
class Walk {
 public:
  Walk(const ToyProgram& program, uint64_t max_executions)
      : program_(program), max_executions_(max_executions) {}

  void From(const State& state, int last, int preemptions) {
    const std::vector<int> tasks = WhoCanStep(program_, state);
    if (tasks.empty()) {
      End(TroubleAtEnd(program_, state), state, preemptions);
      return;
    }
    for (const int task : tasks) {
      if (!result_.finished) return;
      const int so_far =
          preemptions + (Preempts(program_, state, last, task) ? 1 : 0);
      State next = state;
      result_.transitions++;
      const std::optional<Trouble> trouble = Step(program_, next, task);
      if (trouble) {
        End(trouble, next, so_far);
      } else {
        From(next, task, so_far);
      }
    }
  }

  ReferenceResult TakeResult() { return std::move(result_); }

 private:
  void End(const std::optional<Trouble>& trouble, const State& state,
           int preemptions) {
    if (result_.executions == max_executions_) {
      result_.finished = false;
      return;
    }
    result_.executions++;
    if (trouble) {
      KeepLeast(result_.troubles, *trouble, preemptions);
    } else {
      KeepLeast(result_.ends, EndOf(state), preemptions);
    }
  }

  const ToyProgram& program_;
  const uint64_t max_executions_;
  ReferenceResult result_;
};

// A state, or a state and who stepped last: whatever circles are looked for
// among.
struct Vertex {
  struct Edge {
    int task;
    int to;
  };
  uint32_t can_step = 0;  // tasks
  std::vector<Edge> edges;
};

}  // namespace

std::string ToString(const Trouble& trouble) {
  return absl::StrCat(VerdictName(trouble.kind), ": ", trouble.what);
}

ReferenceResult AllSchedules(const ToyProgram& program,
                             uint64_t max_executions) {
  REAP_CHECK_EQ(ProblemOf(program), "", "reference: program");
  Walk walk(program, max_executions);
  walk.From(StartOf(program), kFree, 0);
  return walk.TakeResult();
}

// ---- Data races ------------------------------------------------------------

namespace {

bool IsAcquire(Do what) {
  return what == Do::kLoadAcquire || what == Do::kAwait || what == Do::kAdd ||
         what == Do::kOr || what == Do::kExchange;
}
bool IsRelease(Do what) {
  return what == Do::kStoreRelease || what == Do::kAdd || what == Do::kOr ||
         what == Do::kExchange;
}
bool IsStore(Do what) {
  return what == Do::kStore || what == Do::kStoreReg ||
         what == Do::kStoreRelease;
}

// Whether an operation on a lock orders a later one on the same lock.
bool LockOrders(Do first, Do second) {
  switch (first) {
    case Do::kUnlock:
      return second == Do::kLock || second == Do::kTryLock;
    case Do::kUpWrite:
      return second == Do::kDownRead || second == Do::kDownWrite;
    case Do::kUpRead:
      return second == Do::kDownWrite;
    default:
      return false;
  }
}

// Whether events[i] is ordered before events[j], i < j, by themselves alone.
bool IsOrderedAtOnce(const Events& events, size_t i, size_t j) {
  const Event& first = events[i];
  const Event& second = events[j];
  if (first.task == second.task) return true;
  if (first.object != second.object) return false;
  if (LockOrders(first.what, second.what)) return true;
  if (!IsRelease(first.what) || !IsAcquire(second.what)) return false;
  // The second must see what the first has stored, or what others have made of
  // it without storing over it.
  for (size_t k = i + 1; k < j; ++k) {
    if (events[k].object == first.object && IsStore(events[k].what)) {
      return false;
    }
  }
  return true;
}

// Which events are ordered before the last one, by however many others.
std::vector<bool> OrderedBeforeLast(const Events& events) {
  std::vector<bool> before(events.size());
  before.back() = true;
  for (size_t i = events.size() - 1; i-- > 0;) {
    for (size_t j = i + 1; j < events.size() && !before[i]; ++j) {
      before[i] = before[j] && IsOrderedAtOnce(events, i, j);
    }
  }
  return before;
}

bool IsPlain(Do what) {
  return what == Do::kReadCell || what == Do::kWriteCell;
}

std::string RaceText(const Event& a, const Event& b) {
  const bool a_writes = a.what == Do::kWriteCell;
  const bool b_writes = b.what == Do::kWriteCell;
  if (a_writes != b_writes ? b_writes : b.task < a.task) return RaceText(b, a);
  const auto side = [](const Event& event) {
    return absl::StrCat("task ", event.task,
                        event.what == Do::kWriteCell ? " writes" : " reads",
                        " it at P", event.task, ":", event.at);
  };
  return absl::StrCat("c", a.object, ": ", side(a), ", ", side(b),
                      ", and nothing orders the two");
}

// The race of the last event with an earlier one, if it has one: of several,
// with the latest write, else with that of the first task's latest read.
std::optional<std::string> RaceOfLast(const Events& events) {
  const Event& last = events.back();
  if (!IsPlain(last.what)) return std::nullopt;
  const std::vector<bool> ordered = OrderedBeforeLast(events);
  const Event* read = nullptr;
  for (size_t i = events.size() - 1; i-- > 0;) {
    const Event& event = events[i];
    if (ordered[i] || !IsPlain(event.what) || event.object != last.object) {
      continue;
    }
    if (event.what == Do::kWriteCell) return RaceText(event, last);
    if (last.what == Do::kReadCell) continue;
    if (read == nullptr || event.task < read->task) read = &event;
  }
  if (read == nullptr) return std::nullopt;
  return RaceText(*read, last);
}

class RaceWalk {
 public:
  RaceWalk(const ToyProgram& program, uint64_t max_executions)
      : program_(program), max_executions_(max_executions) {}

  void From(const State& state) {
    const std::vector<int> tasks = WhoCanStep(program_, state);
    if (tasks.empty()) End();
    for (const int task : tasks) {
      if (!result_.finished) return;
      State next = state;
      const size_t before = events_.size();
      const std::optional<Trouble> trouble =
          Step(program_, next, task, &events_);
      if (const auto race = RaceSince(before)) {
        result_.races[*race]++;
        End();
      } else if (trouble) {
        End();
      } else {
        From(next);
      }
      events_.resize(before);
    }
  }

  RaceResult TakeResult() { return std::move(result_); }

 private:
  void End() {
    if (result_.executions == max_executions_) {
      result_.finished = false;
    } else {
      result_.executions++;
    }
  }

  // The first race of the events from `before` on.
  std::optional<std::string> RaceSince(size_t before) const {
    for (size_t end = before + 1; end <= events_.size(); ++end) {
      const auto race = RaceOfLast(Events(
          events_.begin(), events_.begin() + static_cast<ptrdiff_t>(end)));
      if (race) return race;
    }
    return std::nullopt;
  }

  const ToyProgram& program_;
  const uint64_t max_executions_;
  Events events_;
  RaceResult result_;
};

}  // namespace

RaceResult RacesByDefinition(const ToyProgram& program,
                             uint64_t max_executions) {
  REAP_CHECK_EQ(ProblemOf(program), "", "reference: program");
  RaceWalk walk(program, max_executions);
  walk.From(StartOf(program));
  return walk.TakeResult();
}

// ---- All states ------------------------------------------------------------

struct Reference::Graph {
  using Edge = Vertex::Edge;
  struct Node {
    const State* state;  // a key of `numbers`
    std::vector<int> can_step;
    std::vector<Edge> edges;
    std::optional<Trouble> trouble;
    bool has_good_end = false;  // some continuation ends without trouble
  };

  // The number of a state; found later, larger.
  std::map<State, int> numbers;
  std::vector<Node> nodes;
  // Troubles of steps: the state after it need not be new, so that a state
  // and the trouble of the step into it are kept apart.
  std::map<std::pair<int, int>, Trouble> step_troubles;  // (from, task)
  // The fewest preemptions on a way to each state and who stepped last, by
  // PlaceOf(); -1: there is none.
  std::vector<int> cost;

  int NumberOf(const State& state) {
    const auto [it, is_new] =
        numbers.emplace(state, static_cast<int>(nodes.size()));
    if (is_new) nodes.push_back({.state = &it->first});
    return it->second;
  }

  void Build(const ToyProgram& program, uint64_t max_states,
             ReferenceResult* result);
  void FindGoodEnds();
  void CountPreemptions(const ToyProgram& program, ReferenceResult* result);
  static size_t PlaceOf(int node, int last, int tasks) {
    return static_cast<size_t>(node) * (tasks + 1) + (last + 1);
  }
  void FindLivelocks(const ToyProgram& program, ReferenceResult* result) const;
  void FindPlainLivelocks(const ToyProgram& program,
                          ReferenceResult* result) const;
};

void Reference::Graph::Build(const ToyProgram& program, uint64_t max_states,
                             ReferenceResult* result) {
  NumberOf(StartOf(program));
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (nodes.size() > max_states) {
      result->finished = false;
      return;
    }
    const State& state = *nodes[n].state;
    nodes[n].can_step = WhoCanStep(program, state);
    if (nodes[n].can_step.empty()) {
      nodes[n].trouble = TroubleAtEnd(program, state);
      nodes[n].has_good_end = !nodes[n].trouble;
    }
    for (const int task : nodes[n].can_step) {
      State next = state;
      result->transitions++;
      if (auto trouble = Step(program, next, task)) {
        step_troubles.emplace(std::pair(static_cast<int>(n), task),
                              std::move(*trouble));
      } else {
        const int to = NumberOf(next);
        nodes[n].edges.push_back({task, to});
      }
    }
  }
  result->states = nodes.size();
}

// Against the edges, from the good ends.
void Reference::Graph::FindGoodEnds() {
  std::vector<std::vector<int>> backwards(nodes.size());
  std::deque<int> todo;
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (const Edge& edge : nodes[n].edges) {
      backwards[edge.to].push_back(static_cast<int>(n));
    }
    if (nodes[n].has_good_end) todo.push_back(static_cast<int>(n));
  }
  while (!todo.empty()) {
    const int n = todo.front();
    todo.pop_front();
    for (const int from : backwards[n]) {
      if (std::exchange(nodes[from].has_good_end, true)) continue;
      todo.push_back(from);
    }
  }
}

// Breadth-first over (state, who stepped last), cheapest first: a step costs 1
// if it preempts, else 0.
void Reference::Graph::CountPreemptions(const ToyProgram& program,
                                        ReferenceResult* result) {
  const int tasks = static_cast<int>(program.tasks.size());
  cost.assign(nodes.size() * (tasks + 1), -1);
  struct Item {
    int node;
    int last;
    int cost;
  };
  std::deque<Item> todo{{0, kFree, 0}};
  while (!todo.empty()) {
    const Item item = todo.front();
    todo.pop_front();
    int& known = cost[PlaceOf(item.node, item.last, tasks)];
    if (known >= 0) continue;
    known = item.cost;
    const Node& node = nodes[item.node];
    if (node.can_step.empty()) {
      if (node.trouble) {
        KeepLeast(result->troubles, *node.trouble, item.cost);
      } else {
        KeepLeast(result->ends, EndOf(*node.state), item.cost);
      }
    }
    const auto cost_of = [&](int task) {
      return item.cost +
             (Preempts(program, *node.state, item.last, task) ? 1 : 0);
    };
    for (const int task : node.can_step) {
      const auto trouble = step_troubles.find({item.node, task});
      if (trouble == step_troubles.end()) continue;
      KeepLeast(result->troubles, trouble->second, cost_of(task));
    }
    for (const Edge& edge : node.edges) {
      const int next = cost_of(edge.task);
      if (next == item.cost) {
        todo.push_front({edge.to, edge.task, next});
      } else {
        todo.push_back({edge.to, edge.task, next});
      }
    }
  }
}

namespace {

// Tarjan's strongly connected components, with a stack of our own: the number
// of each vertex's component.
class Components {
 public:
  explicit Components(const std::vector<Vertex>& vertices)
      : vertices_(vertices),
        component_(vertices.size(), -1),
        index_(vertices.size(), -1),
        low_(vertices.size(), 0) {
    for (int v = 0; v < static_cast<int>(vertices.size()); ++v) {
      if (index_[v] < 0) VisitFrom(v);
    }
  }

  int operator[](int vertex) const { return component_[vertex]; }

 private:
  void VisitFrom(int root) {
    std::vector<std::pair<int, size_t>> path{{root, 0}};  // (vertex, edges)
    while (!path.empty()) {
      auto& [vertex, next_edge] = path.back();
      if (index_[vertex] < 0) {
        index_[vertex] = low_[vertex] = visited_++;
        open_.push_back(vertex);
      }
      if (next_edge < vertices_[vertex].edges.size()) {
        const int to = vertices_[vertex].edges[next_edge++].to;
        if (index_[to] < 0) {
          path.emplace_back(to, 0);
        } else if (component_[to] < 0) {
          low_[vertex] = std::min(low_[vertex], index_[to]);
        }
        continue;
      }
      const int done = vertex;
      if (low_[done] == index_[done]) Close(done);
      path.pop_back();
      if (!path.empty()) {
        int& above = low_[path.back().first];
        above = std::min(above, low_[done]);
      }
    }
  }

  void Close(int first) {
    for (int member = -1; member != first;) {
      member = open_.back();
      open_.pop_back();
      component_[member] = components_;
    }
    components_++;
  }

  const std::vector<Vertex>& vertices_;
  std::vector<int> component_;
  std::vector<int> index_;
  std::vector<int> low_;
  std::vector<int> open_;  // not yet in a component
  int visited_ = 0;
  int components_ = 0;
};

// A way to go round for ever, and who makes steps on it.
struct Circle {
  int vertex;  // one on it
  uint32_t tasks;
};

// A livelock is a way to go round for ever that is fair: each task either
// makes steps or is, time and again, unable to. One component's states can all
// be visited on one round, so that what some of its states offer, the round
// does.
std::vector<Circle> FairCircles(const std::vector<Vertex>& vertices,
                                int tasks) {
  const Components component(vertices);
  struct Facts {
    int vertex = 0;
    uint32_t steps = 0;     // tasks that make a step within the component
    uint32_t disabled = 0;  // tasks that some state holds back
  };
  std::vector<Facts> facts(vertices.size());
  for (int v = 0; v < static_cast<int>(vertices.size()); ++v) {
    Facts& of = facts[component[v]];
    of.vertex = v;
    for (const Vertex::Edge& edge : vertices[v].edges) {
      if (component[edge.to] == component[v]) of.steps |= 1u << edge.task;
    }
    of.disabled |= ~vertices[v].can_step;
  }
  const uint32_t everyone = (1u << tasks) - 1;
  std::vector<Circle> circles;
  for (const Facts& of : facts) {
    if (of.steps == 0 || ((of.steps | of.disabled) & everyone) != everyone) {
      continue;
    }
    circles.push_back({of.vertex, of.steps});
  }
  return circles;
}

uint32_t BitsOf(const std::vector<int>& tasks) {
  uint32_t bits = 0;
  for (const int task : tasks) bits |= 1u << task;
  return bits;
}

}  // namespace

void Reference::Graph::FindLivelocks(const ToyProgram& program,
                                     ReferenceResult* result) const {
  const int tasks = static_cast<int>(program.tasks.size());
  std::vector<Vertex> vertices;
  for (const Node& node : nodes) {
    vertices.push_back({BitsOf(node.can_step), node.edges});
  }
  for (const Circle& circle : FairCircles(vertices, tasks)) {
    std::string who;
    for (int t = 0; t < tasks; ++t) {
      if ((circle.tasks >> t & 1) == 0) continue;
      absl::StrAppend(&who, who.empty() ? "" : " ", t);
    }
    result->troubles.emplace(Trouble{VerdictKind::kLivelock, who}, 0);
  }
}

// As FindLivelocks(), but of circles on which nobody is preempted.
void Reference::Graph::FindPlainLivelocks(const ToyProgram& program,
                                          ReferenceResult* result) const {
  const int tasks = static_cast<int>(program.tasks.size());
  std::vector<Vertex> vertices(cost.size());
  for (int n = 0; n < static_cast<int>(nodes.size()); ++n) {
    for (int last = kFree; last < tasks; ++last) {
      const size_t place = PlaceOf(n, last, tasks);
      if (cost[place] < 0) continue;
      Vertex& vertex = vertices[place];
      vertex.can_step = BitsOf(nodes[n].can_step);
      for (const Edge& edge : nodes[n].edges) {
        if (Preempts(program, *nodes[n].state, last, edge.task)) continue;
        vertex.edges.push_back(
            {edge.task, static_cast<int>(PlaceOf(edge.to, edge.task, tasks))});
      }
    }
  }
  for (const Circle& circle : FairCircles(vertices, tasks)) {
    const int needed = cost[static_cast<size_t>(circle.vertex)];
    result->plain_livelock =
        std::min(result->plain_livelock.value_or(needed), needed);
  }
}

Reference::Reference(const ToyProgram& program, uint64_t max_states)
    : program_(program), graph_(std::make_unique<Graph>()) {
  REAP_CHECK_EQ(ProblemOf(program), "", "reference: program");
  graph_->Build(program, max_states, &result_);
  if (!result_.finished) return;
  graph_->FindGoodEnds();
  graph_->CountPreemptions(program, &result_);
  graph_->FindLivelocks(program, &result_);
  graph_->FindPlainLivelocks(program, &result_);
}

Reference::~Reference() = default;

Reference::Run Reference::Follow(const std::vector<int>& schedule) const {
  Run run;
  State state = StartOf(program_);
  std::vector<State> passed;
  int last = kFree;
  for (size_t i = 0; i < schedule.size(); ++i) {
    const int task = schedule[i];
    if (run.trouble || !CanStep(program_, state, task)) {
      run.impossible = absl::StrCat("P", task, " can't make step ", i);
      return run;
    }
    if (Preempts(program_, state, last, task)) run.preemptions++;
    passed.push_back(state);
    run.trouble = Step(program_, state, task);
    last = task;
    const auto it = graph_->numbers.find(state);
    const bool good = !run.trouble && it != graph_->numbers.end() &&
                      graph_->nodes[it->second].has_good_end;
    if (!good && !run.doomed_by) run.doomed_by = i;
  }
  run.closes_a_cycle =
      std::find(passed.begin(), passed.end(), state) != passed.end();
  if (!run.trouble && WhoCanStep(program_, state).empty()) {
    run.trouble = TroubleAtEnd(program_, state);
    if (!run.trouble) run.end = EndOf(state);
  }
  return run;
}

}  // namespace reapsim
