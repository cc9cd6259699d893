#pragma once

#include <memory>
#include <string>

#include <dynamo/store.h>

#include "host/host.h"
#include "wire/message.h"

namespace dynamo::host {

// What the copies of one Store handle share. Constant after construction.
class StoreState {
 public:
  StoreState(std::shared_ptr<Host> host_of_store, core::StoreFacts store_facts,
             StoreOptions store_options)
      : host(std::move(host_of_store)),
        facts(std::move(store_facts)),
        options(std::move(store_options)) {}

  const std::shared_ptr<Host> host;  // shared: a store may outlive its node
  const core::StoreFacts facts;
  const StoreOptions options;
};

}  // namespace dynamo::host
