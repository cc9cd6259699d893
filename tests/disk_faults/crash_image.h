#pragma once

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "recorder.h"

// What a disk may hold after a power cut, given what was asked of it.
//
//   event        0     1     2     3       4      5     6     7
//                write write sync  write   write  meta  write | cut
//                                                 (O_DSYNC)
//                ----- there ----- maybe   maybe  there maybe  and maybe a part of 7, in flight
//
// Of each write that may be there, each sector of 512 bytes is there or not, by itself: writes
// reach the disk in any order, and a sector is what a disk writes whole. LMDB relies on the latter,
// for its meta page is valid at once when the one sector that it changes is written.
//
// Sectors written several times since the last sync hold any of these versions, or the one before
// them, but none that is older than a write that was durable by itself.
namespace test {

// The file's bytes; nullopt: there is no such file.
using FileImage = std::optional<std::string>;

// Of each of the files that the events are about, after a cut of the power when the first `cut` of
// `events` have returned, and the next, if there is one, is in flight. `base`: the files before
// them, all of it on the disk. What is not synced reaches the disk in any order, across files, too.
std::vector<FileImage> crash_images(const std::vector<FileImage>& base,
                                    const std::vector<FileEvent>& events, std::size_t cut,
                                    std::mt19937_64& random);

}  // namespace test
