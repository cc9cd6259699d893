#pragma once

namespace dynamo {

struct Silent {
  int value = 0;
};

// Says what it is.
struct Spoken {
  int value = 0;
};

}  // namespace dynamo
