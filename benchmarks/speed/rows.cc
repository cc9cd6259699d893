#include "speed/rows.h"

#include <string>
#include <utility>

namespace bench {

namespace {

Row buffered_row() {
  return {
      .operation = "put w=2 buffered, CPU, 64 in flight",
      .against = "floor + 3 raw LMDB writes in batches as ours",
      .must = 1.6,
      .aim = 1.25,
      .probes = {"put buffered, 64", "floor put, 64", "LMDB synced, batches as ours"},
      .ratio = [](const Round& round) {
        return round("put buffered, 64").cpu_us /
               (round("floor put, 64").cpu_us + 3 * round("LMDB synced, batches as ours").cpu_us);
      }};
}

Row synced_row() {
  return {.operation = "put w=2 synced, p50, 1 in flight",
          .against = "raw LMDB synced commit + echo round trip",
          .must = 2.0,
          .aim = 1.4,
          .probes = {"put synced, 1", "LMDB synced, one", "echo, 1"},
          .ratio = [](const Round& round) {
            return round("put synced, 1").p50_us /
                   (round("LMDB synced, one").p50_us + round("echo, 1").p50_us);
          }};
}

Row parallel_row() {
  return {
      .operation = "the same, speed-up of 2 threads on 2 processors",
      .against = "raw LMDB get's own speed-up",
      .must = 0.85,
      .aim = 0.95,
      .better = Row::Better::higher,
      .probes = {"local get, 1 thread", "local get, 2 threads", "LMDB get, 1 thread",
                 "LMDB get, 2 threads"},
      .ratio = [](const Round& round) {
        return round("local get, 2 threads").per_second / round("local get, 1 thread").per_second /
               (round("LMDB get, 2 threads").per_second / round("LMDB get, 1 thread").per_second);
      }};
}

}  // namespace

std::vector<Row> rows() {
  return {
      quotient("get r=2, p50, 1 in flight", "floor", 1.8, 1.4, &Sample::p50_us, "get, 1",
               "floor get, 1"),
      quotient("get r=2, CPU, 64 in flight", "floor", 2.0, 1.5, &Sample::cpu_us, "get, 64",
               "floor get, 64"),
      quotient("put w=2 buffered, p50, 1 in flight", "floor", 1.8, 1.4, &Sample::p50_us,
               "put buffered, 1", "floor put, 1"),
      buffered_row(),
      synced_row(),
      quotient("blocking get r=2, p50, one caller", "floor", 1.8, 1.4, &Sample::p50_us,
               "blocking get", "floor get, 1"),
      quotient("get r=1 on an owner, caller's thread", "raw LMDB get, renewed transaction", 1.6,
               1.25, &Sample::p50_us, "local get", "LMDB get"),
      parallel_row(),
      quotient("get r=2, p99.9, 16 in flight, one replica stopped", "healthy", 3, 1.5,
               &Sample::p999_us, "get, 16, one stopped", "get, 16"),
      quotient("put w=2 buffered, p99.9, 16 in flight, one replica stopped", "healthy", 3, 1.5,
               &Sample::p999_us, "put buffered, 16, one stopped", "put buffered, 16"),
      quotient("get r=2, throughput, 64 in flight", "Redis GET from its one master", 1.5, 3,
               &Sample::per_second, "get, 64, beside peers", "Redis get, 64"),
      quotient("the same", "the same, all on one connection", 1, 1, &Sample::per_second,
               "get, 64, beside peers", "Redis get, pipelined, 64"),
      quotient("put w=2 buffered, throughput, 64 in flight", "Redis SET + WAIT 1, on no disk", 1, 2,
               &Sample::per_second, "put buffered, 64, beside peers", "Redis put, WAIT 1, 64"),
      quotient("put w=2 synced, throughput, 64 in flight", "etcd", 5, 10, &Sample::per_second,
               "put synced, 64, beside peers", "etcd put, 64"),
      quotient("the same", "Redis, AOF synced always, SET + WAIT 1", 0.4, 0.8, &Sample::per_second,
               "put synced, 64, beside peers", "Redis put, synced, WAIT 1, 64"),
      quotient("the same", "floor with synced LMDB commits", 0.8, 1.0, &Sample::per_second,
               "put synced, 64", "floor put, synced, 64"),
  };
}

}  // namespace bench
