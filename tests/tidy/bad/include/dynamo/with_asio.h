#pragma once

#include <asio/any_io_executor.hpp>
