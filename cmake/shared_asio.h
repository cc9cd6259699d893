#pragma once

// In front of every file of the shared library. asio notes in memory of each thread which
// io_context the thread runs, and its code is in the library as well as in an application that hands
// its io_context over. Both must look at the same place: hidden, as everything else in here, the
// library's copy is empty on a thread that the application runs, and asio goes through a null pointer.

#pragma GCC visibility push(default)
#include <asio/detail/call_stack.hpp>
#include <asio/detail/keyword_tss_ptr.hpp>
#include <asio/detail/thread_context.hpp>
#include <asio/detail/thread_info_base.hpp>
#pragma GCC visibility pop
