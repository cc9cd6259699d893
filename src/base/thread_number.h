#pragma once

#include <cstddef>

namespace dynamo::core {

// A number of the calling thread, counted from 0 in the order in which threads first ask. What is
// spread over places by it is met by few threads at once, by one if there are as many places as
// threads.
//
// Thread safety: any thread.
std::size_t thread_number();

}  // namespace dynamo::core
