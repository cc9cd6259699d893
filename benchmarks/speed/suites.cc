#include "speed/suites.h"

namespace bench {

std::vector<NamedSuite> suites() {
  return {
      {"workloads", workloads_suite},  {"paper", paper_suite},
      {"members", many_members_suite}, {"background", background_suite},
      {"overload", overload_suite},    {"keys", many_keys_suite},
      {"loops", many_loops_suite},
  };
}

}  // namespace bench
