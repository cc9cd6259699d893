#pragma once

#include <functional>
#include <thread>

namespace dynamo::runtime {

// A thread with a name that debuggers show (at most 15 bytes) and with all asynchronous signals
// blocked: they belong to the application's threads.
std::thread named_thread(const char* name, std::function<void()> run);

}  // namespace dynamo::runtime
