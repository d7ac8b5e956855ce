// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Depth-first search with a copy of the world at each branch.
//
// Three searches in one: of all states once (stateful), of all states that a
// number of preemptions reaches (bounded), and of all schedules without
// reduction (brute force).
#ifndef REAPSIM_EXPLORE_SEARCH_H_
#define REAPSIM_EXPLORE_SEARCH_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "explore/explore.h"
#include "explore/hash128.h"
#include "explore/image.h"
#include "explore/stepper.h"

namespace reapsim {

struct SearchLimits {
  bool merge_states = true;
  int max_preemptions = -1;  // -1: any number
  const char* phase = "";
};

// The choices by which a search's first state was reached.
struct Beginning {
  Schedule schedule;
  Choice last = kNoChoice;  // the fiber that ran last
  int preemptions = 0;
};

class DepthFirstSearch {
 public:
  DepthFirstSearch(Stepper* stepper, const ExploreOptions& options,
                   const SearchLimits& limits);

  // Searches on from the state that the world is in, which `begin` has led to.
  // The world is in any state on the way afterwards, without a verdict. May be
  // called again from another state: states seen before are not searched again.
  void Run(const Beginning& begin);

  // `begin` itself has led to the verdict at which the world stands.
  void NoteFailureOf(const Beginning& begin);

  // An end without a verdict was met.
  bool found_good_end() const { return good_end_; }
  // What was found so far; its failure has a verdict and a schedule only.
  Exploration& found() { return found_; }
  // The search was cut short: by a failure, or by a limit.
  bool stopped() const { return stopped_; }

 private:
  // A state on the path from the start to the present one.
  struct Node {
    WorldImage::Undo undo;        // back to the state before
    std::vector<Choice> choices;  // to take here, in order
    size_t next = 0;              // the first not yet taken
    std::vector<Choice> enabled;  // ascending
    Choice last = kNoChoice;      // the fiber that ran last
    Choice via = kNoChoice;       // the choice that led here
    int preemptions = 0;
    uint32_t place = 0;  // in open_
    uint32_t low = 0;    // the lowest place in open_ that can be reached
                         // without another preemption
  };
  // A state whose strongly connected component is not complete (Tarjan, 1972):
  // only these can be part of a circle. Where preemptions are counted, steps
  // that preempt belong to no component: no bound allows a circle with one.
  struct OpenState {
    Hash128 key;
    uint64_t ran;    // who makes steps inside the component
    uint64_t stuck;  // who can't go on here
    uint64_t alive;  // who can
  };

  // Judges the state that the world has just come to; true if it is a new one
  // to be searched, then the top of the path.
  bool Enter(Choice via, Choice last, int preemptions);
  bool IsWorthSearching(Node* node, Choice via, Choice last, int preemptions);
  void Leave();
  bool TakeNextChoice();
  struct Seen {
    uint32_t spent;  // bounded: the fewest preemptions on a way here; else 0
    uint32_t place;  // in open_, plus one; 0: its component is complete
  };
  bool SeenBefore(const Hash128& key, int preemptions, uint32_t* place);
  void CloseComponent(uint32_t first);
  void ReportLivelock(uint64_t ran);
  void NoteEnd();
  void NoteFailure(Choice via);
  void GiveUp(std::string why);
  void Tell();
  // The share of the tree below the beginning that is behind the search.
  double Explored() const;
  Node& top() { return path_[depth_ - 1]; }

  Stepper* stepper_;
  std::optional<WorldImage> image_;  // of the state on top of the path
  const ExploreOptions& options_;
  const SearchLimits limits_;
  Exploration found_;
  bool stopped_ = false;
  bool good_end_ = false;
  Schedule prefix_;
  std::deque<Node> path_;  // nodes are used again: their copies keep room
  size_t depth_ = 0;
  std::vector<OpenState> open_;
  absl::flat_hash_map<Hash128, Seen> seen_;  // never iterated
  uint64_t steps_until_told_ = 0;
};

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_SEARCH_H_
