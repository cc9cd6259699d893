#pragma once

// Everything but dynamo/testing/.

#include <dynamo/context.h>
#include <dynamo/log.h>
#include <dynamo/membership.h>
#include <dynamo/membership/fixed.h>
#include <dynamo/membership/gossip.h>
#include <dynamo/node.h>
#include <dynamo/outcome.h>
#include <dynamo/reconciler.h>
#include <dynamo/stats.h>
#include <dynamo/status.h>
#include <dynamo/storage/lmdb.h>
#include <dynamo/storage/memory.h>
#include <dynamo/storage_engine.h>
#include <dynamo/store.h>
#include <dynamo/transport.h>
#include <dynamo/transport/tcp.h>
#include <dynamo/vector_clock.h>
#include <dynamo/version.h>
