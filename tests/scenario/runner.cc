// Runs one scenario: `dynamo_scenario FILE`. With DYNAMO_UPDATE=1 in the environment what the
// commands print replaces what the file expects; the diff is to be read, and is the protocol's.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "scenario_file.h"
#include "stage.h"

namespace {

bool update_wanted() {
  const char* value = std::getenv("DYNAMO_UPDATE");
  return value != nullptr && std::string_view(value) == "1";
}

int run(const std::string& path) {
  scenario::Stage stage;
  std::vector<scenario::Block> blocks = scenario::read_scenario(path);
  int failures = blocks.empty() ? 1 : 0;
  if (blocks.empty()) std::printf("%s: nothing to run\n", path.c_str());
  for (scenario::Block& block : blocks) {
    std::vector<std::string> output;
    for (const std::string& command : block.commands()) {
      const std::vector<std::string> lines = stage.run(command);
      output.insert(output.end(), lines.begin(), lines.end());
    }
    if (output.empty()) output.push_back("ok");
    if (output == block.output) continue;
    ++failures;
    std::printf("%s:%zu:\n", path.c_str(), block.line);
    for (const std::string& line : block.head) std::printf("  %s\n", line.c_str());
    std::printf("  ----\n%s\n", scenario::difference(block.output, output).c_str());
    block.output = std::move(output);
  }
  if (failures > 0 && !blocks.empty() && update_wanted()) {
    scenario::write_scenario(path, blocks);
    std::printf("%s: rewritten\n", path.c_str());
    return 0;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::printf("usage: dynamo_scenario FILE\n");
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const std::exception& error) {
    std::printf("%s: %s\n", argv[1], error.what());
    return 1;
  }
}
