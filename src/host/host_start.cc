// How a node comes up. The order matters: the directory is ours, then its boot is raised and
// synced, and only then is anything said to anyone (trap A5).

#include <utility>

#include <fmt/format.h>

#include "host/host.h"
#include "node/engine_keys.h"

namespace dynamo::host {

namespace {

std::shared_ptr<const core::ContextSecrets> context_secrets(const NodeOptions& options) {
  if (options.context_secret.empty()) return nullptr;
  return std::make_shared<const core::ContextSecrets>(
      core::ContextSecrets{options.context_secret, options.context_secrets_accepted});
}

}  // namespace

absl::StatusOr<std::shared_ptr<Host>> Host::start(NodeOptions options, Parts parts) {
  // In a child of fork it is left as it is: its destructor would wait for threads of the parent.
  const auto destroy = [](Host* copy) {
    if (!copy->in_child()) delete copy;
  };
  std::shared_ptr<Host> host(new Host(std::move(options), std::move(parts)), destroy);
  if (absl::Status status = host->open_identity(); !status.ok()) return status;
  host->machine_ = std::make_unique<core::Machine>(
      host->identity_,
      core::NodeSettings{.cluster_label = host->options_.cluster,
                         .partitions = host->options_.partitions,
                         .background_bytes_per_second = host->options_.background_bytes_per_second,
                         .hint_bytes_max = host->options_.hint_bytes_max,
                         .context_secrets = context_secrets(host->options_),
                         .seed = host->parts_.environment->random(),
                         .strands = host->options_.threads});
  if (absl::Status status = host->restore_records(); !status.ok()) return status;
  absl::StatusOr<std::string> address =
      host->parts_.transport->start([raw = host.get()](std::string packet, std::string_view peer) {
        raw->receive(std::move(packet), peer);
      });
  if (!address.ok()) return address.status();
  host->address_ = *std::move(address);
  if (absl::Status status = host->start_membership(); !status.ok()) return status;
  host->parts_.environment->start(*host);
  host->parts_.environment->wake(host->common());
  return host;
}

std::optional<std::string> Host::read_now(std::string_view key, absl::Status& status) {
  std::optional<std::string> record;
  status = parts_.storage->read(key, [&](std::string_view bytes) { record = std::string(bytes); })
               .status();
  return record;
}

absl::Status Host::write_now(std::string_view key, std::string_view record) {
  const std::lock_guard lock(engine_mutex_);
  const StorageEngine::Write write{key, record};
  return parts_.storage->write({&write, 1});
}

absl::Status Host::open_identity() {
  absl::Status status;
  const std::optional<std::string> stored = read_now(core::identity_key(), status);
  if (!status.ok()) return status;
  Environment& environment = *parts_.environment;
  const core::BootRandomness random{.identity = {environment.random(), environment.random()},
                                    .boot_random = environment.random()};
  absl::StatusOr<core::NodeIdentity> identity =
      core::next_boot(stored, options_.name, options_.partitions, random, options_.adopt_as_new);
  if (!identity.ok()) {
    return absl::Status(
        identity.status().code(),
        fmt::format("{}{}", options_.data_dir.empty() ? "" : options_.data_dir.string() + ": ",
                    std::string(identity.status().message())));
  }
  if (stored && identity->adopted && identity->boot == 1) {
    if (absl::Status forgot = forget_copy(*stored); !forgot.ok()) return forgot;
  }
  identity_ = *std::move(identity);
  return write_now(core::identity_key(), core::encode_identity(identity_));
}

// Everything but the identity goes, in chunks. That is marked as replaced first: if this process
// ends in between, what is left of the copy must not be opened as if it were whole.
absl::Status Host::forget_copy(std::string_view stored) {
  absl::StatusOr<core::NodeIdentity> old = core::decode_identity(stored);
  if (!old.ok()) return old.status();
  old->boot_seen_by_peers = core::boot_replaced;
  const std::string identity = core::identity_key();
  absl::Status status = write_now(identity, core::encode_identity(*old));
  log(LogLevel::warning,
      fmt::format("adopt_as_new: the data directory of node \"{}\" is emptied", old->name));
  constexpr std::size_t chunk = 1000;
  for (std::vector<std::string> keys; status.ok(); keys.clear()) {
    status = parts_.storage->scan("", [&](std::string_view key, std::string_view) {
      if (key != identity) keys.emplace_back(key);
      return keys.size() < chunk;
    });
    if (!status.ok() || keys.empty()) break;
    std::vector<StorageEngine::Write> erased;
    for (const std::string& key : keys) erased.push_back({.key = key, .record = std::nullopt});
    const std::lock_guard lock(engine_mutex_);
    status = parts_.storage->write(erased);
  }
  return status;
}

absl::Status Host::restore_records() {
  absl::Status damaged;
  using core::RecordKind;
  for (const RecordKind kind : {RecordKind::view, RecordKind::generation, RecordKind::peer,
                                RecordKind::store, RecordKind::hint}) {
    const absl::Status status = parts_.storage->scan(
        core::first_key(kind), [&](std::string_view key, std::string_view record) {
          if (!core::is_kind(key, kind)) return false;
          damaged = machine_->restore(key, record);
          if (kind != RecordKind::hint || damaged.ok()) return damaged.ok();
          // One write that cannot be handed on any more; the node can do without it.
          log(LogLevel::error, fmt::format("a hint is lost: {}", std::string(damaged.message())));
          damaged = absl::OkStatus();
          return true;
        });
    if (!status.ok()) return status;
    if (!damaged.ok()) return damaged;
  }
  return absl::OkStatus();
}

absl::Status Host::start_membership() {
  absl::Status status;
  std::optional<std::string> state = read_now(core::membership_key(), status);
  if (!status.ok()) return status;
  Member self{.identity = identity_.identity,
              .name = options_.name,
              .address = address_,
              .zone = options_.zone,
              .weight = options_.weight};
  Membership::Callbacks callbacks;
  callbacks.publish = [this](View view) {
    post(common(), {.event = core::ViewChanged{std::move(view)}});
  };
  callbacks.send = [this](std::string_view address, std::string payload) {
    post(common(), {.event = core::MembershipSends{std::string(address), std::move(payload)}});
  };
  callbacks.persist = [this](std::string bytes) {
    return write_now(core::membership_key(), bytes);
  };
  membership_started_ = true;
  status = parts_.membership->start(std::move(self), std::move(state).value_or(std::string()),
                                    parts_.environment->random(), std::move(callbacks));
  if (!status.ok()) return status;
  return adopt_cluster();
}

// A view that is there already says which cluster this is, and the directory has to agree.
absl::Status Host::adopt_cluster() {
  std::optional<Identity> cluster;
  {
    Desk& own = desk(common());
    const std::lock_guard lock(own.inbox_mutex);
    for (const Request& request : own.inbox) {
      if (const auto* changed = std::get_if<core::ViewChanged>(&request.event)) {
        cluster = core::cluster_identity(options_.cluster, changed->view.cluster);
      }
    }
  }
  if (!cluster || *cluster == identity_.cluster) return absl::OkStatus();
  if (!identity_.cluster.is_zero()) {
    return absl::FailedPreconditionError(
        fmt::format("data directory {} belongs to cluster {}, and these options (label \"{}\", "
                    "members) make cluster {}",
                    options_.data_dir.string(), identity_.cluster.to_string(), options_.cluster,
                    cluster->to_string()));
  }
  identity_.cluster = *cluster;
  machine_->set_cluster_of_directory(*cluster);
  return write_now(core::identity_key(), core::encode_identity(identity_));
}

}  // namespace dynamo::host
