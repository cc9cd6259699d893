#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/context.h>
#include <dynamo/log.h>
#include <dynamo/membership.h>
#include <dynamo/outcome.h>
#include <dynamo/transport.h>
#include <dynamo/version.h>

#include "base/spare_buffers.h"
#include "base/time.h"
#include "node/engine_keys.h"
#include "wire/message.h"
#include "wire/packet.h"

// What goes into a Machine and what comes out of it.
namespace dynamo::core {

// A get() or put() of the application on this node. `request` is the host's number for it; exactly
// one CompleteGet or CompletePut with that number comes back.
struct ClientGet {
  std::uint64_t request = 0;
  StoreFacts store{};
  std::string key{};
  int r = 1;
  bool sloppy = true;  // stand-ins are asked for owners that cannot be reached
  Context at_least{};  // the answer must have seen what this has
  TimePoint asked{};   // when, for the host's statistics
  TimePoint deadline{};
};
struct ClientPut {
  std::uint64_t request = 0;
  StoreFacts store{};
  std::string key{};
  Context context{};
  std::optional<std::string> object{};  // nullopt erases
  std::optional<std::chrono::seconds> ttl{};
  WriteId id{};  // zero: to be drawn
  int w = 1;
  int siblings_max = 64;
  bool synced = true;
  bool sloppy = true;  // stand-ins may take it for owners that cannot be reached
  TimePoint asked{};   // when, for the host's statistics
  TimePoint deadline{};
};
// The application waits until this node or its cluster is so far. One CompleteWait with that number
// comes back.
struct ClientWait {
  std::uint64_t request = 0;
  TimePoint deadline{};
  // converged: every partition has been compared and repaired on all its owners. drained, left: see
  // node/departure.h. removed: a view says so of `member`.
  enum class Goal { converged, drained, left, removed } goal = Goal::converged;
  std::string member{};
};
// The application asks the membership for a change. One CompleteWait with that number comes back.
struct ClientChange {
  std::uint64_t request = 0;
  Change change{};
};
// The application has lost interest.
struct Cancel {
  std::uint64_t request = 0;
};
// A packet from the transport; `peer` is the name that the transport vouches for, or empty.
struct PacketReceived {
  std::string packet{};
  std::string peer{};
};
// The same, read already: some messages of a packet, or all. Messages may lie in its bytes.
struct PacketOpened {
  struct Bytes {
    explicit Bytes(std::string packet) : bytes(std::move(packet)) {}
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    ~Bytes() { SpareBuffers::give(std::move(bytes)); }

    std::string bytes;
  };

  Packet packet{};
  std::string peer{};
  std::shared_ptr<const Bytes> bytes{};  // shared by all parts of the packet
};
// These writes, or later ones of the same keys, are on stable storage.
struct BatchWritten {
  std::vector<std::uint64_t> writes{};
};
// These writes failed. They stay in the object buffer and are tried again, unless the status is
// DATA_LOSS, after which the engine is not used any more.
struct WriteFailed {
  std::vector<std::uint64_t> writes{};
  absl::Status status{};
};
// The membership component has a new view.
struct ViewChanged {
  View view{};
};
// The membership component sends to its like.
struct MembershipSends {
  std::string address{};
  std::string payload{};
};
struct Tick {};

using Event =
    std::variant<ClientGet, ClientPut, ClientWait, ClientChange, Cancel, PacketReceived,
                 PacketOpened, BatchWritten, WriteFailed, ViewChanged, MembershipSends, Tick>;

// What a get found, before any reconciler of the application.
struct GetAnswer {
  std::vector<Version> versions{};
  Context context{};
  Outcome outcome{};
};
struct PutAnswer {
  Context context{};
  Outcome outcome{};
};

struct SendPacket {
  std::string address{};
  Lane lane = Lane::request;
  std::string packet{};
};
// To be put into the object buffer, and from there into the engine: at once if `synced`, within the
// flush interval otherwise.
struct WriteRecord {
  std::uint64_t write = 0;
  std::string key{};
  std::optional<std::string> record{};  // nullopt erases
  bool synced = true;
};
struct CompleteGet {
  std::uint64_t request = 0;
  absl::StatusOr<GetAnswer> answer{};
};
struct CompletePut {
  std::uint64_t request = 0;
  absl::StatusOr<PutAnswer> answer{};
};
// To be asked of the membership; what it says is the answer to `request`, 0: to none.
struct AskChange {
  std::uint64_t request = 0;
  Change change{};
};
struct CompleteWait {
  std::uint64_t request = 0;
  absl::Status status{};
};
struct LogLine {
  LogLevel level = LogLevel::info;
  std::string text{};
};

// Filled by the machine, emptied by the host, reused. The host performs writes before sends and
// completions: a reader must find in the buffer what was promised.
struct Actions {
  std::vector<WriteRecord> writes{};
  std::vector<SendPacket> packets{};
  std::vector<std::string> redials{};  // addresses of peers that are back
  std::vector<CompleteGet> gets{};
  std::vector<CompletePut> puts{};
  std::vector<CompleteWait> waits{};
  std::vector<std::string> membership{};  // payloads for the membership component
  std::vector<AskChange> changes{};
  std::vector<LogLine> log{};
  bool flush = false;  // all that is in the object buffer is due

  void clear() {
    writes.clear();
    packets.clear();
    redials.clear();
    gets.clear();
    puts.clear();
    waits.clear();
    membership.clear();
    changes.clear();
    log.clear();
    flush = false;
  }
};

// The node's own records: the object buffer first, then the engine.
class RecordReader {
 public:
  // As many as expect() is usefully told of at once.
  static constexpr std::size_t expected_max = 64;

  virtual ~RecordReader() = default;
  // As StorageEngine::read(). The record is valid during the call only.
  virtual absl::StatusOr<bool> read(std::string_view key,
                                    absl::FunctionRef<void(std::string_view)> visit) const = 0;
  // Visits records in key order from `from` on, `limit` of them at most, so that no snapshot of the
  // engine outlives a bounded chunk of work (trap H6). Returns the key to go on from, empty if
  // there is nothing more. Keys and records are valid during the call only.
  virtual absl::StatusOr<std::string> scan(
      std::string_view from, std::size_t limit,
      absl::FunctionRef<void(std::string_view key, std::string_view record)> visit) const = 0;
  // These objects will be read next, one after the other. What is in memory of them may be brought
  // near the processor meanwhile: a search waits for memory twice, and several can wait at once.
  virtual void expect(std::span<const ObjectKeyBytes>) const {}
  // Empty if a write of an application may enter the object buffer now; else why not, in words.
  virtual std::string full() const = 0;
};

}  // namespace dynamo::core
