#pragma once

#include <string>
#include <vector>

namespace test {

// What five processes take at the end of a round of faults.
struct SoakSample {
  double minutes = 0;         // since the start
  long kibibytes = 0;         // of memory, of all; pages of files are the system's
  long descriptors = 0;       // of the one with the most
  long hints = 0;             // that waited for others before the network was healed, of all
  double database_bytes = 0;  // the files of all, without the logs
  double page_bytes = 0;      // of them that hold data
};

// The course of a soak, for people.
class SoakReport {
 public:
  void add(const SoakSample& sample) { samples_.push_back(sample); }

  std::string table() const;
  std::string svg() const;
  // What has grown without bound: a sentence for each; empty: nothing has, or there are too few
  // rounds to tell.
  std::string growth() const;

 private:
  std::vector<SoakSample> samples_;
};

}  // namespace test
