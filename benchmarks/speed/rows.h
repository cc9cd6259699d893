#pragma once

#include <vector>

#include "speed/report.h"

namespace bench {

// Where the library must stand, and what that is measured by.
std::vector<Row> rows();

}  // namespace bench
