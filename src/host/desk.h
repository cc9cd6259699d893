#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/recycling_allocator.h"
#include "base/time.h"
#include "host/admission.h"
#include "host/statistics.h"
#include "node/event.h"

namespace dynamo::host {

using GetDone = absl::AnyInvocable<void(absl::StatusOr<core::GetAnswer>)>;
using PutDone = absl::AnyInvocable<void(absl::StatusOr<core::PutAnswer>)>;
using WaitDone = absl::AnyInvocable<void(absl::Status)>;

// Something that a turn has to deal with.
struct Request {
  core::Event event;
  std::uint64_t number = 0;  // 0: no answer is wanted
  std::variant<std::monostate, GetDone, PutDone, WaitDone> done{};
  core::TimePoint since{};  // when it was asked for

  // Answers it without having run it.
  void end(const absl::Status& status) {
    if (auto* get = std::get_if<GetDone>(&done)) (*get)(status);
    if (auto* put = std::get_if<PutDone>(&done)) (*put)(status);
    if (auto* wait = std::get_if<WaitDone>(&done)) (*wait)(status);
  }
};

// What a turn does once the machine is unlocked.
struct Effects {
  core::Actions actions{};
  std::vector<std::pair<GetDone, absl::StatusOr<core::GetAnswer>>> gets{};
  std::vector<std::pair<PutDone, absl::StatusOr<core::PutAnswer>>> puts{};
  std::vector<std::pair<WaitDone, absl::Status>> waits{};
  std::vector<Request> passed_on{};  // by a strand, to the common one
  bool common_is_due = false;        // that one's turn
  bool membership_due = false;       // its tick
  Admission::Load load{};            // of the turn

  void clear() {
    actions.clear();
    gets.clear();
    puts.clear();
    waits.clear();
    passed_on.clear();
    common_is_due = false;
    membership_due = false;
    load = {};
  }
};

// The place in a host where one strand of its machine works (node/strand.h): what has come in for
// it, who waits for its answers, and the lock of its turns. If there are several, turns of the
// common one hold the locks of all.
struct Desk {
  template <class Done>
  struct Pending {
    Done done;
    core::TimePoint since{};
  };
  template <class Done>
  using Waiting = core::RecyclingMap<std::uint64_t, Pending<Done>>;

  std::mutex inbox_mutex;
  std::vector<Request> inbox;  // guarded by inbox_mutex
  core::Actions left;          // guarded by inbox_mutex: other strands' answers to requests of this
  bool woken = false;          // guarded by inbox_mutex: a turn is on its way
  int at_once_left = 0;        // guarded by inbox_mutex: so many events get a turn of their own

  // Guarded by inbox_mutex: requests of handlers that came while nothing else was in flight.
  int alone_in_a_row = 0;

  mutable std::mutex mutex;
  Waiting<GetDone> gets;  // guarded by mutex
  Waiting<PutDone> puts;  // guarded by mutex
  Statistics statistics;
  // Memory that one turn leaves to the next.
  std::vector<Request> taken;  // guarded by mutex
  Effects effects;             // of the one turn that runs
};

}  // namespace dynamo::host
