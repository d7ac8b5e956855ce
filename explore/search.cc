// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/search.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "explore/waits.h"

namespace reapsim {
namespace {

constexpr uint64_t kStepsBetweenProgress = 1 << 14;

// A fiber or event as a bit. Fairness needs to tell them apart; worlds that are
// searched have few.
constexpr int kFirstEvent = 48;
constexpr uint64_t kFiberBits = (uint64_t{1} << kFirstEvent) - 1;
uint64_t BitOf(Choice choice) {
  if (!IsEvent(choice)) {
    REAP_CHECK_LT(choice, kFirstEvent, "explore: too many fibers");
    return uint64_t{1} << choice;
  }
  return uint64_t{1} << (kFirstEvent + std::min(choice - kEventBase, 15));
}

uint64_t BitsOf(const std::vector<Choice>& choices) {
  uint64_t bits = 0;
  for (const Choice choice : choices) bits |= BitOf(choice);
  return bits;
}

}  // namespace

DepthFirstSearch::DepthFirstSearch(Stepper* stepper,
                                   const ExploreOptions& options,
                                   const SearchLimits& limits)
    : stepper_(stepper), options_(options), limits_(limits) {}

void DepthFirstSearch::Run(const Beginning& begin) {
  prefix_ = begin.schedule;
  depth_ = 0;
  image_.emplace(&stepper_->engine());
  if (!Enter(kNoChoice, begin.last, begin.preemptions)) return;
  while (depth_ > 0 && !stopped_) {
    if (!TakeNextChoice()) Leave();
  }
}

// Takes the next choice of the state on top, if any is left.
bool DepthFirstSearch::TakeNextChoice() {
  Node& node = top();
  if (node.next == node.choices.size()) return false;
  const Choice choice = node.choices[node.next];
  node.next++;
  const int cost = IsPreemption(node.last, choice, node.enabled) ? 1 : 0;
  found_.transitions++;
  Tell();
  if (!stepper_->Step(choice)) {
    NoteFailure(choice);
    image_->Reject();
    return true;
  }
  (void)Enter(choice, IsEvent(choice) ? node.last : choice,
              node.preemptions + cost);
  return true;
}

bool DepthFirstSearch::Enter(Choice via, Choice last, int preemptions) {
  if (depth_ == path_.size()) path_.emplace_back();
  Node& node = path_[depth_];
  image_->Accept(&node.undo);
  if (!IsWorthSearching(&node, via, last, preemptions)) {
    image_->GoBack(node.undo);
    return false;
  }
  depth_++;
  return true;
}

bool DepthFirstSearch::IsWorthSearching(Node* node, Choice via, Choice last,
                                        int preemptions) {
  Hash128 key = image_->hash();
  if (limits_.merge_states) {
    if (limits_.max_preemptions >= 0) key = WithNumber(key, last);
    uint32_t place = 0;
    if (SeenBefore(key, preemptions, &place)) {
      if (place != 0 && depth_ > 0) {
        // A circle: back to a state whose component is open.
        top().low = std::min(top().low, place - 1);
        open_[top().place].ran |= BitOf(via);
      }
      return false;
    }
  }
  found_.states++;
  stepper_->Enabled(&node->enabled);
  if (node->enabled.empty()) {
    found_.deepest =
        std::max<uint64_t>(found_.deepest, prefix_.size() + depth_);
    if (JudgeEnd(stepper_->world())) {
      NoteEnd();
    } else {
      NoteFailure(via);
      stepper_->engine().Rewound();
    }
    return false;
  }
  if (found_.states > options_.max_states) {
    GiveUp(absl::StrCat("more than ", options_.max_states, " states"));
    return false;
  }
  if (depth_ >= options_.max_steps) {
    GiveUp(absl::StrCat("an execution of more than ", options_.max_steps,
                        " steps"));
    return false;
  }
  node->last = last;
  node->via = via;
  node->preemptions = preemptions;
  node->next = 0;
  node->choices.clear();
  const Choice plain = PlainChoice(last, node->enabled);
  node->choices.push_back(plain);
  for (const Choice choice : node->enabled) {
    const int cost = IsPreemption(last, choice, node->enabled) ? 1 : 0;
    const bool within = limits_.max_preemptions < 0 ||
                        preemptions + cost <= limits_.max_preemptions;
    if (choice != plain && within) node->choices.push_back(choice);
  }
  if (limits_.merge_states) {
    node->place = static_cast<uint32_t>(open_.size());
    node->low = node->place;
    const uint64_t alive = BitsOf(node->enabled);
    // An event that is held back now and then, by another one, happens all the
    // same.
    open_.push_back(
        {.key = key, .ran = 0, .stuck = ~alive & kFiberBits, .alive = alive});
    seen_[key].place = node->place + 1;
  }
  return true;
}

// Whether there is nothing new behind this state; else notes it. `place` is the
// place in open_, plus one, of a state that is open and that a step without a
// preemption has led to: of states with more preemptions than that on top of
// the path none is open.
bool DepthFirstSearch::SeenBefore(const Hash128& key, int preemptions,
                                  uint32_t* place) {
  const bool bounded = limits_.max_preemptions >= 0;
  const uint32_t spent = bounded ? static_cast<uint32_t>(preemptions) : 0;
  const auto [at, fresh] =
      seen_.try_emplace(key, Seen{.spent = spent, .place = 0});
  if (fresh) return false;
  if (at->second.spent > spent) {
    at->second = {.spent = spent, .place = 0};
    return false;
  }
  if (at->second.spent == spent) *place = at->second.place;
  return true;
}

void DepthFirstSearch::Leave() {
  const Node& node = top();
  const bool closes = limits_.merge_states && node.low == node.place;
  if (closes) CloseComponent(node.place);
  depth_--;
  image_->GoBack(node.undo);
  if (closes || !limits_.merge_states) return;
  // The parent is part of the same component.
  Node& parent = top();
  parent.low = std::min(parent.low, node.low);
  open_[parent.place].ran |= BitOf(node.via);
}

// The states from `first` on in open_ are one component, and complete; the
// world is in the first. If they lie on circles, a run may stay among them for
// ever. It is a fair one, in which nobody is passed over, if all who could go
// on do so, or can't now and then.
void DepthFirstSearch::CloseComponent(uint32_t first) {
  uint64_t ran = 0;
  uint64_t stuck = 0;
  uint64_t alive = 0;
  for (size_t i = first; i < open_.size(); ++i) {
    ran |= open_[i].ran;
    stuck |= open_[i].stuck;
    alive |= open_[i].alive;
    seen_[open_[i].key].place = 0;
  }
  open_.resize(first);
  if (ran != 0 && (alive & ~(ran | stuck)) == 0) ReportLivelock(ran);
}

void DepthFirstSearch::ReportLivelock(uint64_t ran) {
  std::string who;
  for (uint64_t left = ran; left != 0; left &= left - 1) {
    const int bit = std::countr_zero(left);
    const auto choice = static_cast<Choice>(
        bit < kFirstEvent ? bit : kEventBase + bit - kFirstEvent);
    absl::StrAppend(&who, who.empty() ? "" : ", ",
                    stepper_->world().NameOf(choice));
  }
  // This state comes back for ever: what has not come about in it never does.
  std::vector<std::string> goals;
  stepper_->world().UnmetGoals(&goals);
  const std::string holders =
      DescribeHolders(stepper_->world(), [ran](const Fiber& fiber) {
        return (ran & BitOf(static_cast<Choice>(fiber.id))) == 0;
      });
  stepper_->engine().Report(
      VerdictKind::kLivelock,
      absl::StrCat(goals.empty() ? "" : goals.front() + "; ",
                   "these may go round for ever, although nobody is passed "
                   "over: ",
                   who, holders.empty() ? "" : "; and ", holders));
  NoteFailure(kNoChoice);
  stepper_->engine().Rewound();
}

void DepthFirstSearch::NoteFailureOf(const Beginning& begin) {
  prefix_ = begin.schedule;
  depth_ = 0;
  NoteFailure(kNoChoice);
}

void DepthFirstSearch::NoteEnd() {
  found_.executions++;
  good_end_ = true;
  if (options_.stop_at_success) GiveUp("stopped at the first good end");
  if (options_.collect_outcomes) found_.outcomes[stepper_->world().Outcome()]++;
}

// The world stopped at a verdict after the choices of the path and `via`.
void DepthFirstSearch::NoteFailure(Choice via) {
  found_.executions++;
  Engine& engine = stepper_->engine();
  const Verdict verdict = engine.TakeVerdict();
  if (verdict.kind == VerdictKind::kDataRace) found_.data_races++;
  if (options_.collect_outcomes) found_.outcomes[OutcomeOf(verdict)]++;
  if (found_.failure && !options_.stop_at_failure) return;
  Failure failure{.verdict = verdict, .schedule = prefix_};
  for (size_t i = 1; i < depth_; ++i) {
    failure.schedule.push_back(path_[i].via);
  }
  if (via != kNoChoice) failure.schedule.push_back(via);
  found_.failure = std::move(failure);
  if (options_.stop_at_failure) GiveUp("stopped at the first failure");
}

void DepthFirstSearch::GiveUp(std::string why) {
  stopped_ = true;
  if (found_.unexplored.empty()) found_.unexplored = std::move(why);
}

void DepthFirstSearch::Tell() {
  if (!limits_.merge_states && found_.executions >= options_.max_executions) {
    GiveUp(absl::StrCat("more than ", options_.max_executions, " executions"));
  }
  if (steps_until_told_-- != 0) return;
  steps_until_told_ = kStepsBetweenProgress;
  if (!options_.on_progress) return;
  options_.on_progress({.phase = limits_.phase,
                        .executions = found_.executions,
                        .states = found_.states,
                        .transitions = found_.transitions,
                        .depth = depth_,
                        .explored = Explored()});
}

double DepthFirstSearch::Explored() const {
  double explored = 0;
  double share = 1;  // of the tree, below the node
  for (size_t i = 0; i < depth_ && share > 0; ++i) {
    const Node& node = path_[i];
    share /= static_cast<double>(node.choices.size());
    // The choice that was taken last is still being explored.
    explored += share * static_cast<double>(node.next - 1);
  }
  return explored;
}

}  // namespace reapsim
