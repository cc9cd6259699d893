#pragma once

// What most tests include of others (dynamo_precompile).

#include "../tests/catch.hpp"
#include "precompiled_library.h"
