#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace seeds {

// Seeds that have found something, and what it was. They run again for ever; a change of what seeds
// draw may take the meeting of faults away that it took, so a test of its own is better where there
// can be one.
struct PastSeed {
  std::uint64_t seed = 0;
  int minutes = 0;
  std::string_view found{};
};

inline constexpr std::array past_seeds = {
    PastSeed{42, 2, "an owner whose disk was full when a view came never stored that view"},
    PastSeed{214, 2, "a node with a lost disk waited for a partition that it owned no more"},
    PastSeed{701559, 10, "a restored copy that knew nobody was not told who is there"},
    PastSeed{702025, 10,
             "a disk that was lost again took the place of the one that had replaced it"},
    PastSeed{200415, 3, "a put was reported as not applied that a slow owner had taken before"},
    PastSeed{710834, 10,
             "the harness brought a backup back of a directory that had been replaced meanwhile"},
    PastSeed{790844, 10,
             "a node settled before its disk knew of the generation, and kept older hints"},
    PastSeed{883002, 3, "with several loops an answer lay in a packet that was there no more"},
    PastSeed{883367, 5, "the puts of one of a node's loops were taken for such as had come before"},
    PastSeed{751967, 10, "the harness wanted three disks of a cluster that had two owners left"},
    PastSeed{830000, 10,
             "the harness wanted what a member had taken alone that did not know of its removal"},
};

}  // namespace seeds
